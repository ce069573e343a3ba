import { z } from 'zod';
import type { Endpoint } from './endpoint.ts';

/** The OpenAPI 3.1 document of endpoints, out of the schemas that check them. */
export function openApi(endpoints: readonly Endpoint[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const endpoint of endpoints)
    paths[`/api/v1${endpoint.path}`] = { [endpoint.method]: operationOf(endpoint) };
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

function operationOf({ method, path, summary, description, input, row, isOne }: Endpoint): object {
  const item = schemaOf(row, 'output');
  const { properties = {}, required = [] } = schemaOf(input, 'input');
  const parameters = Object.entries(properties).map(([name, schema]) => {
    const isInPath = path.includes(`{${name}}`);
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
  const problem = {
    description: 'A problem',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
  return {
    operationId: `${method} ${path}`.replace(
      /[^a-z]+(.)?/g,
      (_, letter?: string) => letter?.toUpperCase() ?? '',
    ),
    summary,
    description,
    ...(method === 'get'
      ? { parameters }
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(input, 'input') } },
          },
        }),
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

function schemaOf(schema: z.ZodObject, io: 'input' | 'output'): { properties?: object; required?: string[] } {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
  });
  return rest as { properties?: object; required?: string[] }; // of an object
}
