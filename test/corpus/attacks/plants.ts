import { addressText } from '../../../collector/map/address.ts';
import { hashOf, randomOf } from '../chance.ts';
import { KINDS, type Label, STRENGTHS, type Strength } from '../labels.ts';
import type { Source } from '../lookUp.ts';
import { strengths } from '../strengths.ts';
import { MINUTE } from '../time.ts';
import type { World } from '../world.ts';
import { nxdomainBurst, rogueResolver } from './clients.ts';
import {
  beaconing,
  doubleFlux,
  fastFlux,
  firstSeen,
  malformedName,
  nameExplosion,
  rebinding,
  tunnelling,
} from './domains.ts';
import { lookalike } from './lookalike.ts';
import { type Attack, Planner, type Plans } from './plant.ts';
import { nonexistentTld, rareTld } from './topLevel.ts';

const plans: Plans = {
  first_seen: firstSeen,
  fast_flux: fastFlux,
  double_flux: doubleFlux,
  rogue_resolver: rogueResolver,
  rare_tld: rareTld,
  nonexistent_tld: nonexistentTld,
  nxdomain_burst: nxdomainBurst,
  tunnelling,
  name_explosion: nameExplosion,
  lookalike,
  beaconing,
  malformed_name: malformedName,
  rebinding,
};

/** Flows of an attack begin this long after its period at most: what follows a question. */
const AFTERMATH = MINUTE;

/** An attack in the corpus. */
export interface Plant {
  readonly label: Label;
  /** @returns the same each time */
  activities(): Source;
}

/** Plans all attacks on a network. @param copies of each kind and strength; of those with variants each variant once */
export function plantAttacks(world: World, copies: number): Plant[] {
  const planner = new Planner(world);
  return KINDS.flatMap(kind =>
    STRENGTHS.flatMap(strength =>
      variantsOf(strengths[kind][strength], copies).map((variant, i) => {
        const attack = plans[kind](planner, strength, variant);
        const seed = hashOf(`${kind} ${strength} ${i}`);
        return {
          label: labelOf(kind, strength, variant, attack),
          activities: () => attack.activities(randomOf(world.seed, 'plant', seed)),
        };
      }),
    ),
  );
}

function variantsOf(strength: object, copies: number): readonly string[] {
  const { variants } = strength as { variants?: readonly string[] };
  return variants ?? Array.from({ length: copies }, () => '');
}

function labelOf(
  kind: Label['kind'],
  strength: Strength,
  variant: string,
  { subject, clients, period, also = [] }: Attack,
): Label {
  const addresses = clients.map(({ address }) => addressText(address));
  return {
    kind,
    strength,
    subject,
    ...(variant !== '' && { variant }),
    ...(addresses.length === 1 && { client: addresses[0]! }),
    clients: addresses,
    from: new Date(period.from / 1000),
    to: new Date((period.to + AFTERMATH) / 1000),
    also,
  };
}
