import { createHmac } from 'node:crypto';
import type pg from 'pg';
import { type ListedDetection, listDetections } from './list.ts';
import { readSettings } from './settings.ts';
import { severities } from './severity.ts';

const TIMEOUT_MS = 10_000;
/** With the growing pauses of graphile-worker, about three days. */
const MOST_ATTEMPTS = 25;

/** A receiver that does not accept a detection; the job is tried again. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
}

/**
 * Queues a job for each detection that was not sent yet: one message a detection, whatever runs it is found in. Those
 * from before the webhook was set are left alone. In one transaction, so that none is queued twice or forgotten.
 * @returns how many were queued
 */
export async function queueDeliveries(client: pg.ClientBase): Promise<number> {
  const { webhook } = await readSettings(client);
  if (webhook === null) return 0;
  const { rows } = await client.query<{ queued: number }>(
    `with chosen as (
       update public.detection set delivered_at = now()
       where detection_id in (
         select detection_id from public.detection_shown
         where delivered_at is null and status = 'new' and mute_id is null
           and severity = any ($1)
           and created_at >= (select changed_at from public.setting where name = 'webhook')
       )
       returning detection_id
     )
     select count(graphile_worker.add_job('deliver', json_build_object('id', detection_id),
       job_key => 'deliver_' || detection_id, max_attempts => $2))::integer as queued
     from chosen`,
    [severities.slice(severities.indexOf(webhook.least_severity)), MOST_ATTEMPTS],
  );
  return rows[0]!.queued; // an aggregate gives one row
}

/**
 * Sends a detection to the webhook: a POST of its JSON with `x-dnstrail-signature: t=<seconds>,v1=<hex>`, the
 * HMAC-SHA-256 of `<seconds>.<body>`, and `x-dnstrail-detection: <id>`, by which a receiver knows a repetition.
 * @throws DeliveryError when the receiver does not answer 2xx in time
 */
export async function deliver(pool: pg.Pool, id: number, signal?: AbortSignal): Promise<void> {
  const { webhook } = await readSettings(pool);
  const [detection] = await listDetections(pool, { id, all: true });
  if (webhook === null || detection === undefined) return; // withdrawn meanwhile, or nobody wants it any more
  const { body, headers } = signedMessage(detection, webhook.secret, Math.floor(Date.now() / 1000));
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(webhook.url, {
    method: 'POST',
    body,
    headers,
    redirect: 'error',
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  }).catch(error => {
    throw new DeliveryError(`cannot reach ${webhook.url}`, { cause: error });
  });
  await response.body?.cancel();
  if (!response.ok) throw new DeliveryError(`${webhook.url} answered ${response.status}`);
}

function signedMessage(detection: ListedDetection, secret: string, seconds: number) {
  const body = JSON.stringify(detection);
  const signature = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'x-dnstrail-signature': `t=${seconds},v1=${signature}`,
      'x-dnstrail-detection': String(detection.id),
    },
  };
}
