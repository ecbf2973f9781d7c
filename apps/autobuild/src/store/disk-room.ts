import { statfsSync } from "node:fs";
import path from "node:path";
import { Reserve } from "../reserve.ts";

export interface DiskRoomOptions {
  /** With less room on the disk of the data folder no build starts; those that run go on. @default 32 MiB */
  readonly leastFreeBytes: number;
}

export const diskRoomDefaults: DiskRoomOptions = { leastFreeBytes: 32 * 1024 * 1024 };

/** Enough for the ends of all builds that may run, in the store and in its write-ahead log. */
const reserveBytes = 4 * 1024 * 1024;

/** The room on the disk of a data folder, of which a part is kept for writing down how builds end. */
export class DiskRoom {
  readonly #folder: string;
  readonly #leastFreeBytes: number;
  readonly #reserve: Reserve;

  constructor(folder: string, { leastFreeBytes }: DiskRoomOptions) {
    this.#folder = folder;
    this.#leastFreeBytes = leastFreeBytes;
    this.#reserve = new Reserve(path.join(folder, "reserve"), reserveBytes);
  }

  /** What anybody may still write there; undefined where the system does not tell. */
  freeBytes(): number | undefined {
    try {
      const { bavail, bsize } = statfsSync(this.#folder);
      return bavail * bsize;
    } catch {
      return undefined;
    }
  }

  /** Null: builds may start. Else why they wait, for people. */
  shortage(): string | null {
    const freeBytes = this.freeBytes() ?? Infinity;
    if (freeBytes >= this.#leastFreeBytes + this.#reserve.missingBytes) return null;
    return `waiting for room on the disk of the data folder: ${inMiB(freeBytes)} are free, expected at least ${inMiB(this.#leastFreeBytes + this.#reserve.missingBytes)}`;
  }

  /** Keeps back again what was given up. */
  refill(): void {
    if (this.shortage() === null) this.#reserve.refill();
  }

  /** Gives up a part of what was kept back. False: there is nothing left to give. */
  giveUp(): boolean {
    return this.#reserve.give(reserveBytes / 4);
  }
}

function inMiB(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
