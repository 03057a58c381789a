import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** What `/openapi.json` says, as far as tests look at it. */
export interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, PublishedOperation>>>>;
  readonly components: Readonly<Record<string, unknown>>;
}

export interface PublishedOperation {
  readonly summary?: string;
  readonly parameters?: readonly PublishedParameter[];
  readonly requestBody?: { readonly content: PublishedContent };
  readonly responses: Readonly<Record<string, PublishedResponse>>;
}

export interface PublishedParameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema: object;
}

interface PublishedResponse {
  readonly description?: string;
  readonly content?: PublishedContent;
}

type PublishedContent = Readonly<Record<string, { readonly schema: object }>>;

/** An answer to hold against what is published. */
export interface AnswerToCheck {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly mediaType: string | null;
  readonly body: unknown;
}

/** Checks answers against the OpenAPI document that the service publishes. */
export class PublishedApi {
  readonly document: OpenApi;
  readonly #ajv: Ajv2020;

  constructor(document: OpenApi) {
    this.document = document;
    this.#ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
    addFormats.default(this.#ajv);
    this.#ajv.addVocabulary(['openapi', 'info', 'paths', 'components', 'security', 'example', 'tags']);
    this.#ajv.addSchema(document, 'openapi.json');
  }

  /** The template, such as `/v1/assets/{asset}`, that a path falls under: one without variables comes first. */
  template(path: string): string | null {
    const [plain = ''] = path.split('?');
    if (plain in this.document.paths) return plain;
    return Object.keys(this.document.paths).find((template) => patternOf(template).test(plain)) ?? null;
  }

  operation(method: string, path: string): PublishedOperation | null {
    const template = this.template(path);
    return template === null ? null : (this.document.paths[template]?.[method.toLowerCase()] ?? null);
  }

  /** Says everything that the published document does not allow about an answer. */
  faults(answer: AnswerToCheck): string[] {
    const { method, path, status, mediaType, body } = answer;
    const operation = this.operation(method, path);
    // What no operation answers is a problem: an unknown route, or a method that a route does not have.
    if (operation === null)
      return status >= 400
        ? this.#bodyFaults({ $ref: 'openapi.json#/components/schemas/Problem' }, body)
        : [`${method} ${path} answered ${status} and is not published`];
    const response = operation.responses[String(status)];
    if (response === undefined) return [`${method} ${path} answered ${status}, which is not published`];
    if (response.content === undefined)
      return mediaType === null ? [] : [`${method} ${path} has a body for ${status}, none is published`];
    const content = response.content[mediaType ?? ''] ?? response.content['application/json'];
    if (content === undefined)
      return [`${method} ${path} answered ${status} as ${String(mediaType)}, which is not published`];
    return [...this.#bodyFaults(content.schema, body), ...codeFaults(response, answer)];
  }

  /** Whether a request body fits what is published for the operation. */
  requestFaults(method: string, path: string, body: unknown): string[] {
    const schema = this.operation(method, path)?.requestBody?.content['application/json']?.schema;
    if (schema === undefined) return [`${method} ${path} publishes no body`];
    return this.#bodyFaults(schema, body);
  }

  #bodyFaults(schema: object, body: unknown): string[] {
    const validate = this.#ajv.compile(absolute(schema));
    return validate(body) ? [] : (validate.errors ?? []).map(faultText);
  }
}

/** The codes that can be the answer are part of what is published; they stand in the response's description. */
function codeFaults(response: PublishedResponse, { method, path, status, body }: AnswerToCheck): string[] {
  if (status < 400 || typeof body !== 'object' || body === null || !('code' in body)) return [];
  const code = String(body.code);
  return response.description?.includes(`\`${code}\``) === true
    ? []
    : [`${method} ${path} answered ${code}, which is not published`];
}

function faultText({ instancePath, message, params }: ErrorObject): string {
  return `${instancePath === '' ? 'the body' : instancePath} ${message ?? ''} ${JSON.stringify(params)}`;
}

function patternOf(template: string): RegExp {
  const escaped = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\{[^}]+\}/g, '[^/]+')}$`);
}

/** References are relative to the document; here they are given its name. */
function absolute(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi.json#/')) as object;
}
