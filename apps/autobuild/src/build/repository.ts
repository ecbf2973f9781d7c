/** A repository that AutoBuild builds, as pages show it. Plain JSON. */
export interface Repository {
  readonly id: number;
  readonly name: string;
  /** Its path, or its URL without user name and password. */
  readonly label: string;
  /** Whether it was added to a server that runs, and so can be removed from it. */
  readonly isAdded: boolean;
  readonly state: RepositoryState;
}

/** How the last look at a repository went. */
export type RepositoryState =
  | { readonly type: "waiting" }
  /** `headBranch` is null in a repository that has no commit yet. */
  | {
      readonly type: "reachable";
      readonly checkedMs: number;
      readonly headBranch: string | null;
      readonly branchCount: number;
      /** Branches and tags that are not built for their names. */
      readonly passedOver: number;
    }
  | {
      readonly type: "unreachable";
      readonly message: string;
      readonly failures: number;
      readonly nextTryMs: number;
    };
