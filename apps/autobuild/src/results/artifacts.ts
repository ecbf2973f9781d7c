import { createHash } from "node:crypto";
import { constants, type ReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { ignoreMissing, messageOf, systemCodeOf } from "../errors.ts";
import { findFiles, type WorkspaceFile } from "./workspace-files.ts";

/** A file of a build that is kept. Plain JSON. */
export interface Artifact {
  /** The step that made it. */
  readonly position: number;
  /**
   * Its path in the workspace, with `/` between folders. As hostile as the build that named it. A byte that is no
   * UTF-8 is written `\xE9`.
   */
  readonly name: string;
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** What was kept of a step's files. */
export interface KeptArtifacts {
  readonly artifacts: readonly Artifact[];
  /** Sentences about what was not kept. */
  readonly problems: readonly string[];
}

/** Bounds of what a build may keep. */
export interface ArtifactBounds {
  /** Of one build. A file that does not fit is left out, and the build's page says so. @default 1 GiB */
  readonly maxArtifactBytes: number;
}

const artifactBounds: ArtifactBounds = { maxArtifactBytes: 1024 * 1024 * 1024 };

/**
 * The kept files of all builds: `<folder>/<build>/<sha256>` each, by what is in them and not by what a build
 * called them. So no name can lead anywhere, and a file that two steps made is kept once.
 */
export class ArtifactFolder {
  readonly #folder: string;
  readonly #bounds: ArtifactBounds;

  constructor(folder: string, bounds: ArtifactBounds = artifactBounds) {
    this.#folder = folder;
    this.#bounds = bounds;
  }

  /** Copies the files that a step's globs match out of its workspace. Does not throw for what a build did. */
  async keep(
    buildId: number,
    position: number,
    workspace: string,
    globs: readonly string[],
  ): Promise<KeptArtifacts> {
    const found = await findFiles(workspace, globs);
    const artifacts: Artifact[] = [];
    const problems: string[] = found.cut === null ? [] : [`Of the artifacts ${found.cut}.`];
    if (globs.length > 0 && found.files.length === 0)
      problems.push(`Expected artifacts at ${globs.join(", ")}, found none.`);
    let room = this.#bounds.maxArtifactBytes - (await this.bytesOf(buildId));
    const names = new Set<string>();
    for (const file of found.files) {
      try {
        if (names.has(file.name)) throw new Error("another one is called the same");
        names.add(file.name);
        const { sha256, bytes, isNew } = await this.#copy(buildId, file, room);
        if (isNew) room -= bytes;
        artifacts.push({ position, name: file.name, bytes, sha256 });
      } catch (error) {
        problems.push(`The artifact ${file.name} was not kept: ${messageOf(error)}.`);
        if (systemCodeOf(error) === "ENOSPC") break;
      }
    }
    return { artifacts, problems };
  }

  /** Opens a kept file; undefined where it was removed since. The one who opens it ends the stream. */
  async open(buildId: number, sha256: string, range?: ByteRange): Promise<ReadStream | undefined> {
    const handle = await open(this.#fileOf(buildId, sha256)).catch(ignoreMissing);
    return handle?.createReadStream(
      range === undefined ? {} : { start: range.from, end: range.to },
    );
  }

  /** What a build's files take of the disk. */
  async bytesOf(buildId: number): Promise<number> {
    const folder = path.join(this.#folder, String(buildId));
    const names = await readdir(folder).catch(() => []);
    const sizes = await Promise.all(
      names.map((name) =>
        stat(path.join(folder, name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Removes a build's files. */
  async remove(buildId: number): Promise<void> {
    await rm(path.join(this.#folder, String(buildId)), { recursive: true, force: true });
  }

  async #copy(
    buildId: number,
    file: WorkspaceFile,
    room: number,
  ): Promise<{ sha256: string; bytes: number; isNew: boolean }> {
    // Between the search and now a process that hid could have put a link there.
    const source = await open(
      file.path,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    const folder = path.join(this.#folder, String(buildId));
    const partial = path.join(folder, `${process.pid}.part`);
    try {
      const status = await source.stat();
      if (!status.isFile()) throw new Error("it is no regular file");
      if (status.size > room)
        throw new Error(
          `a build keeps at most ${this.#bounds.maxArtifactBytes} bytes of artifacts, and this one has ${status.size}`,
        );
      await mkdir(folder, { recursive: true });
      const target = await open(partial, "w", 0o600);
      let copied;
      try {
        copied = await copyBytes(source, target, status.size);
      } finally {
        await target.close();
      }
      const kept = this.#fileOf(buildId, copied.sha256);
      const isNew = !(await stat(kept).then(
        () => true,
        () => false,
      ));
      await rename(partial, kept);
      return { ...copied, isNew };
    } catch (error) {
      await rm(partial, { force: true }).catch(() => {});
      throw error;
    } finally {
      await source.close();
    }
  }

  #fileOf(buildId: number, sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256))
      throw new Error(`Expected a SHA-256, got ${sha256.length} characters.`);
    return path.join(this.#folder, String(buildId), sha256);
  }
}

/** Both ends included, as in HTTP. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

const blockBytes = 256 * 1024;

/** Copies at most `size` bytes: a file that still grows does not keep us. */
async function copyBytes(
  source: FileHandle,
  target: FileHandle,
  size: number,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  const block = Buffer.allocUnsafe(Math.min(blockBytes, Math.max(size, 1)));
  let bytes = 0;
  while (bytes < size) {
    const { bytesRead } = await source.read(block, 0, Math.min(block.length, size - bytes), bytes);
    if (bytesRead === 0) break;
    const part = block.subarray(0, bytesRead);
    hash.update(part);
    await target.writeFile(part);
    bytes += bytesRead;
  }
  return { sha256: hash.digest("hex"), bytes };
}
