import { z } from "zod";
import { problemSchema } from "./problem.ts";
import type { Route } from "./route.ts";

type Json = Record<string, unknown>;

const refusals: Readonly<Record<number, string>> = {
  400: "The request does not fit this description",
  401: "Nobody has logged in, or the token is not known",
  403: "The role is not enough, or a page of another site asks",
  404: "There is no such thing",
  409: "It is not in a state for that",
  413: "The body is too big",
  415: "The body is no JSON",
  416: "The log has no such range",
  502: "The repository cannot be reached",
  503: "There is no room at the moment, or AutoBuild stops",
  507: "The disk is full",
};

/** Describes routes in OpenAPI 3.1, whose schemas are JSON Schema 2020-12: what zod itself makes of them. */
export function openApi(routes: readonly Route[]): Json {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const { answer } = route;
    const content =
      answer.type === "json"
        ? { "application/json": { schema: schemaOf(answer.schema, "output", schemas) } }
        : answer.type === "other" && { [answer.contentType]: { schema: { type: "string" } } };
    const writes = route.method === "get" || route.role === "none" ? [] : [507];
    const access = route.role === "none" ? [] : [401, 403];
    const statuses = [...access, ...route.refusals, ...writes].toSorted(
      (left, right) => left - right,
    );
    paths[route.path] = {
      ...paths[route.path],
      [route.method]: {
        operationId: operationId(route),
        summary: route.summary,
        description: route.role === "none" ? "Needs no role." : `Needs the role ${route.role}.`,
        parameters: [...parametersOf(route.params, "path"), ...parametersOf(route.query, "query")],
        ...(route.body === undefined
          ? {}
          : {
              requestBody: {
                content: { "application/json": { schema: schemaOf(route.body, "input", schemas) } },
              },
            }),
        responses: {
          [answer.status]: { description: answer.what, ...(content && { content }) },
          ...Object.fromEntries(
            Object.entries(route.others).map(([status, description]) => [status, { description }]),
          ),
          ...Object.fromEntries(
            statuses.map((status) => [
              status,
              {
                description: refusals[status] ?? "Refused",
                content: {
                  "application/problem+json": {
                    schema: schemaOf(problemSchema, "output", schemas),
                  },
                },
              },
            ]),
          ),
        },
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "AutoBuild",
      version: "1",
      description:
        "A build server. What it knows is at these addresses; what happens comes over WebSockets (see the reference).",
    },
    components: {
      schemas,
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
    // The empty one: on a server that lets everybody read, nothing is needed for that.
    security: [{ token: [] }, {}],
    paths,
  };
}

/** A schema with the named ones in it moved to the components. */
function schemaOf(schema: z.ZodType, io: "input" | "output", components: Json): Json {
  const {
    $schema: _version,
    $defs = {},
    ...json
  } = z.toJSONSchema(schema, { io }) as Json & {
    $defs?: Json;
  };
  for (const [name, definition] of Object.entries($defs)) components[name] = moved(definition);
  const name = json["id"];
  if (typeof name !== "string") return moved(json) as Json;
  components[name] = moved(json);
  return { $ref: `#/components/schemas/${name}` };
}

function moved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(moved);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      // `id` is how zod names a schema; in JSON Schema it would have to be a `$id`.
      .filter(([key, each]) => !(key === "id" && typeof each === "string"))
      .map(([key, each]) => [
        key,
        key === "$ref" && typeof each === "string"
          ? each.replace("#/$defs/", "#/components/schemas/")
          : moved(each),
      ]),
  );
}

function parametersOf(schema: z.ZodObject | undefined, place: "path" | "query"): Json[] {
  if (schema === undefined) return [];
  const json = z.toJSONSchema(schema, { io: "input" }) as {
    properties?: Record<string, Json>;
    required?: readonly string[];
  };
  return Object.entries(json.properties ?? {}).map(([name, { description, ...property }]) => ({
    name,
    in: place,
    required: place === "path" || (json.required ?? []).includes(name),
    ...(description === undefined ? {} : { description }),
    schema: property,
  }));
}

/** `get /api/builds/{id}/plan` is `getBuildsIdPlan`, `get /builds/{id}` is `getWebBuildsId`. */
function operationId({ method, path: whole }: Route): string {
  const path = whole.startsWith("/api/") ? whole : `/web${whole}`;
  const words = path.replace(/^\/(api\/)?/, "").match(/\w+/g) ?? [];
  return [method, ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join("");
}
