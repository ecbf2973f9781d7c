import { readFileSync } from "node:fs";

export type Side = "client" | "server";

export interface Wire {
  readonly text?: string;
  readonly hex?: string;
}

/** One line of a conversation. */
export type Line =
  | { readonly client: string }
  | { readonly server: string }
  | { readonly app: readonly [verb: string, ...args: unknown[]] }
  | { readonly got: readonly [what: string, ...args: unknown[]] };

export interface Vectors {
  readonly envelopes: readonly (Wire & {
    readonly from: Side;
    readonly envelope: Readonly<Record<string, unknown>>;
    readonly payloadHex?: string;
  })[];
  readonly ignored: readonly (Wire & { readonly to: Side; readonly why: string })[];
  readonly tolerated: readonly (Wire & {
    readonly to: Side;
    readonly envelope: Readonly<Record<string, unknown>>;
    readonly payloadHex?: string;
    readonly why: string;
  })[];
  readonly faults: readonly (Wire & { readonly to: Side; readonly why: string })[];
  readonly conversations: readonly { readonly name: string; readonly lines: readonly Line[] }[];
}

export const vectors = JSON.parse(
  readFileSync(new URL("vectors.json", import.meta.url), "utf8"),
) as Vectors;

export const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

export const messageOf = ({ text, hex }: Wire): string | Uint8Array => text ?? fromHex(hex ?? "");
