import { z } from 'zod';
import type { Endpoint } from './endpoint.ts';

/** A stream, which is no endpoint like the others. */
const feedOperation = {
  operationId: 'getFeed',
  summary: 'What is new, as it comes',
  description:
    'Server-sent events: new detections that are not muted, and registered domains that were looked up for the first time. Each has an id; who comes again with it gets what was missed, nothing twice. A comment every 15 seconds.',
  parameters: [
    {
      name: 'events',
      in: 'query',
      required: false,
      description: 'Which, with commas between.',
      schema: { type: 'string', default: 'detection,domain' },
    },
    { name: 'last_event_id', in: 'query', required: false, schema: { type: 'string' } },
    { name: 'Last-Event-ID', in: 'header', required: false, schema: { type: 'string' } },
  ],
  responses: {
    200: { description: 'Events', content: { 'text/event-stream': { schema: { type: 'string' } } } },
    ...Object.fromEntries(
      ['400', '401', '403', '503'].map(status => [status, { $ref: '#/components/responses/Problem' }]),
    ),
  },
};

/** The OpenAPI 3.1 document of endpoints, out of the schemas that check them. */
export function openApi(endpoints: readonly Endpoint[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const endpoint of endpoints)
    paths[`/api/v1${endpoint.path}`] = {
      ...paths[`/api/v1${endpoint.path}`],
      [endpoint.method]: operationOf(endpoint),
    };
  paths['/api/v1/feed'] = { get: feedOperation };
  return {
    openapi: '3.1.0',
    info: {
      title: 'dnstrail',
      version,
      description:
        'Passive DNS: who asked what, when, through which resolver, and what came back. Lists are JSON, NDJSON (Accept: application/x-ndjson) or CSV (Accept: text/csv).',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ key: [] }, { basic: [] }, {}],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        basic: { type: 'http', scheme: 'basic' },
      },
      responses: {
        Problem: {
          description: 'A problem',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      schemas: {
        Problem: {
          type: 'object',
          description: 'RFC 9457',
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            detail: { type: 'string' },
          },
          required: ['type', 'title', 'status', 'detail'],
        },
      },
    },
  };
}

function operationOf({ method, path, scope, summary, description, input, row, isOne }: Endpoint): object {
  const item = schemaOf(row, 'output');
  const { properties = {}, required = [] } = schemaOf(input, 'input');
  const hasBody = method === 'post' || method === 'patch';
  const isPathParameter = (name: string) => path.includes(`{${name}}`);
  const outside = Object.entries(properties).filter(([name]) => !hasBody || isPathParameter(name));
  const parameters = outside.map(([name, schema]) => {
    const isInPath = isPathParameter(name);
    const { description: said, ...rest } = schema as { description?: string }; // a JSON schema
    return {
      name,
      in: isInPath ? 'path' : 'query',
      required: isInPath || required.includes(name),
      ...(said ? { description: said } : {}),
      schema: rest,
    };
  });
  const page = {
    type: 'object',
    properties: { items: { type: 'array', items: item }, next: { type: ['string', 'null'] } },
    required: ['items', 'next'],
  };
  const problem = { $ref: '#/components/responses/Problem' };
  return {
    operationId: `${method} ${path}`.replace(
      /[^a-z]+(.)?/g,
      (_, letter?: string) => letter?.toUpperCase() ?? '',
    ),
    summary,
    description: scope === 'read' ? description : `${description} Needs a key of scope ${scope}.`,
    ...(parameters.length > 0 || !hasBody ? { parameters } : {}),
    ...(hasBody
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(bodyOf(input, isPathParameter), 'input') } },
          },
        }
      : {}),
    responses: {
      200: {
        description: 'The answer',
        content: {
          'application/json': { schema: isOne ? item : page },
          'application/x-ndjson': { schema: item },
          'text/csv': { schema: { type: 'string' } },
        },
      },
      ...Object.fromEntries(
        ['400', '401', '403', '404', '406', '413', '429', '500', '503'].map(status => [status, problem]),
      ),
    },
  };
}

/** The input without what is in the path. */
function bodyOf(input: z.ZodObject, isPathParameter: (name: string) => boolean): z.ZodObject {
  const inBody = Object.entries(input.shape).filter(([name]) => !isPathParameter(name));
  return inBody.length === Object.keys(input.shape).length ? input : z.object(Object.fromEntries(inBody));
}

function schemaOf(schema: z.ZodObject, io: 'input' | 'output'): { properties?: object; required?: string[] } {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
  });
  return rest as { properties?: object; required?: string[] }; // of an object
}
