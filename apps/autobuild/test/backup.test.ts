import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { makeBackup } from "../src/backup/backup.ts";
import { restoreBackup } from "../src/backup/restore.ts";
import { SealedLogs } from "../src/log/sealed-logs.ts";
import { SealingThread } from "../src/log/sealing-thread.ts";
import { BuildFolders } from "../src/run/build-folders.ts";
import { DataLock } from "../src/store/data-lock.ts";
import { openDatabase } from "../src/store/database.ts";
import { migrate } from "../src/store/migrations.ts";
import { steps, TestRepository } from "./support/repository.ts";
import { TestServer } from "./support/server.ts";
import { temporaryFolder } from "./support/temporary.ts";

describe("a backup", () => {
  test("of a running server is restored with every build and log", async () => {
    const repository = new TestRepository(steps("echo hello"));
    const dataDir = temporaryFolder();
    const server = await TestServer.start({ repositories: [repository.folder], dataDir });
    await server.ended(1);
    repository.commitSteps("second", "echo before; sleep 30");
    await server.until(
      "the second runs",
      () => server.autobuild.builds.get(2)?.state === "running",
    );
    await server.printed(2, "before");

    const parts = new Set<string>();
    const target = path.join(temporaryFolder(), "backup");
    const manifest = await makeBackup(dataDir, target, 1, ({ part }) => parts.add(part));
    expect(manifest).toMatchObject({ format: 1, madeMs: 1 });
    expect(manifest.files).toBeGreaterThan(1);
    expect(parts).toContain("autobuild.sqlite");
    expect(existsSync(path.join(target, "autobuild.key"))).toBe(false);
    await server.autobuild.builds.cancel(2);
    await server.autobuild.stop();

    const fresh = temporaryFolder();
    const { before } = await restoreBackup(target, fresh, 2);
    expect(before).toBeUndefined();
    const restored = await TestServer.start({
      repositories: [repository.folder],
      dataDir: fresh,
      requeueLost: false,
    });
    expect(restored.autobuild.builds.get(1)?.state).toBe("passed");
    expect(await restored.logOf(1)).toContain("hello\n");
    const second = await restored.ended(2);
    expect(second.state).toBe("lost");
    expect(await restored.logOf(2)).toContain("before\n");
  });

  test("takes the place of what is there, which is moved aside with its journal", async () => {
    const dataDir = temporaryFolder();
    openDatabase(dataDir).close();
    const target = path.join(temporaryFolder(), "backup");
    await makeBackup(dataDir, target, 1);

    const database = openDatabase(dataDir);
    database.exec("INSERT INTO repository (label, name) VALUES ('/late', 'late')");
    // As after `kill -9`: what was written last is in the journal only.
    const journal = path.join(dataDir, "autobuild.sqlite-wal");
    const kept = readFileSync(journal);
    database.close();
    writeFileSync(journal, kept);
    const { before } = await restoreBackup(target, dataDir, 5);
    expect(readdirSync(before ?? "")).toContain("autobuild.sqlite-wal");
    const restored = openDatabase(dataDir);
    expect(restored.prepare("SELECT count(*) AS count FROM repository").get()).toEqual({
      count: 0,
    });
    restored.close();
  });

  test("says what is wrong, and leaves nothing half done", async () => {
    const folder = temporaryFolder();
    await expect(makeBackup(folder, path.join(folder, "b"), 0)).rejects.toThrow(
      "to be a data folder of AutoBuild, found no autobuild.sqlite",
    );
    const dataDir = temporaryFolder();
    openDatabase(dataDir).close();
    await expect(makeBackup(dataDir, folder, 0)).rejects.toThrow("not to be there yet, and it is");
    await expect(restoreBackup(folder, dataDir, 0)).rejects.toThrow("found no backup.json in it");
    const target = path.join(temporaryFolder(), "backup");
    await makeBackup(dataDir, target, 0);
    const lock = new DataLock(dataDir);
    await expect(restoreBackup(target, dataDir, 0)).rejects.toMatchObject({
      code: "AUTOBUILD_DATA_DIR_IN_USE",
    });
    lock.release();
    writeFileSync(
      path.join(target, "autobuild.sqlite"),
      "not a database, and long enough for a header",
    );
    await expect(restoreBackup(target, dataDir, 0)).rejects.toThrow("to be a whole database");
    openDatabase(dataDir).close();
  });

  test("holds logs that are sealed while it is made, in one place or the other", async () => {
    const dataDir = temporaryFolder();
    openDatabase(dataDir).close();
    const folderOf = (id: number): string => path.join(dataDir, "builds", String(id));
    const text = "a line of a log\n".repeat(5000);
    const ids = Array.from({ length: 40 }, (_, index) => index + 1);
    for (const id of ids) {
      mkdirSync(folderOf(id), { recursive: true });
      writeFileSync(path.join(folderOf(id), "0.1.log"), text);
    }
    const thread = new SealingThread(dataDir);
    onTestFinished(() => thread.stop());
    await thread.seal(1, folderOf(1));
    const target = path.join(temporaryFolder(), "backup");
    const sealing = Promise.all(ids.map((id) => thread.seal(id, folderOf(id))));
    await makeBackup(dataDir, target, 0);
    await sealing;

    const restored = temporaryFolder();
    await restoreBackup(target, restored, 1);
    const sealed = new SealedLogs(restored, () => {});
    onTestFinished(() => sealed.close());
    const folders = new BuildFolders(restored, sealed);
    for (const id of ids)
      expect((await folders.file(id, "0.1.log").read(0, 1e6)).toString()).toBe(text);
  });

  test("holds no link that a build left", async () => {
    const dataDir = temporaryFolder();
    openDatabase(dataDir).close();
    mkdirSync(path.join(dataDir, "artifacts/1"), { recursive: true });
    symlinkSync("/nowhere", path.join(dataDir, "artifacts/1/dangling"));
    symlinkSync("/etc/hosts", path.join(dataDir, "artifacts/1/linked"));
    writeFileSync(path.join(dataDir, "artifacts/1/file"), "x");
    const target = path.join(temporaryFolder(), "backup");
    await makeBackup(dataDir, target, 0);
    expect(readdirSync(path.join(target, "artifacts/1"))).toEqual(["file"]);
  });
});

test("a database is copied before a newer AutoBuild changes it", () => {
  const dataDir = temporaryFolder();
  const file = path.join(dataDir, "autobuild.sqlite");
  const database = new DatabaseSync(file);
  migrate(database, 1);
  database.close();
  expect(() => openDatabase(dataDir)).not.toThrow();
  const copies = readdirSync(dataDir).filter((name) => name.includes("before-v"));
  expect(copies).toEqual(["autobuild.sqlite.before-v1"]);
  const copy = new DatabaseSync(path.join(dataDir, copies[0] ?? ""), { readOnly: true });
  expect(
    copy.prepare("SELECT count(*) AS count FROM sqlite_schema WHERE name = 'notice'").get(),
  ).toEqual({ count: 0 });
  copy.close();
});
