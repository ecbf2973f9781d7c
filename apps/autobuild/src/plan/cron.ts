import { Cron } from "croner";

/** When a build is due, from a configuration. */
export interface TimeTable {
  /** Minute, hour, day, month, weekday; or `@daily` and its kin. */
  readonly schedule: string;
  /** @default the machine's */
  readonly timezone?: string | undefined;
}

/** The first time in a table after a moment; undefined when there is none. Throws when the table is none. */
export function nextTime({ schedule, timezone }: TimeTable, afterMs: number): number | undefined {
  const cron = new Cron(schedule, { paused: true, mode: "5-part", ...(timezone && { timezone }) });
  return cron.nextRun(new Date(afterMs))?.getTime();
}

/** Whether it is a table that has a next time. */
export function isTimeTable(table: TimeTable): boolean {
  try {
    return nextTime(table, 0) !== undefined;
  } catch {
    return false;
  }
}
