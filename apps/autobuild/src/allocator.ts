/**
 * Variables that have the allocator of glibc give memory back; others pass over them. They count at a process's start.
 *
 * An arena keeps what it once had, and there would be one for each thread up to eight a core. The bounds, which are
 * its defaults, would else grow with the largest block that was ever freed, to 32 and 64 MiB.
 */
export const allocatorSettings = {
  MALLOC_ARENA_MAX: "2",
  MALLOC_MMAP_THRESHOLD_: String(128 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(128 * 1024),
} as const;
