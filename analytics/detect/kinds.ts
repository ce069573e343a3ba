import type { AnyDetector } from './detector.ts';
import { beaconing } from './kinds/beaconing.ts';
import { doubleFlux } from './kinds/doubleFlux.ts';
import { fastFlux } from './kinds/fastFlux.ts';
import { firstSeen } from './kinds/firstSeen.ts';
import { lookalike } from './kinds/lookalike.ts';
import { malformedName } from './kinds/malformedName.ts';
import { nameExplosion } from './kinds/nameExplosion.ts';
import { nonexistentTld } from './kinds/nonexistentTld.ts';
import { nxdomainBurst } from './kinds/nxdomainBurst.ts';
import { rareTld } from './kinds/rareTld.ts';
import { rebinding } from './kinds/rebinding.ts';
import { rogueResolver } from './kinds/rogueResolver.ts';
import { tunnelling } from './kinds/tunnelling.ts';

/** All detectors. */
export const kinds: readonly AnyDetector[] = [
  firstSeen,
  rogueResolver,
  rareTld,
  nonexistentTld,
  fastFlux,
  doubleFlux,
  nxdomainBurst,
  tunnelling,
  nameExplosion,
  lookalike,
  rebinding,
  malformedName,
  beaconing,
];
