/** What the page of a build shows below its steps. */
export type BuildTab = "log" | "tests" | "artifacts" | "about";

/** Where in the page somebody is. `step`: the log of one step, of one of its attempts. */
export type Route =
  | { readonly type: "console" }
  | { readonly type: "wall" }
  | {
      readonly type: "build";
      readonly id: number;
      /** From 0; null: what came before the first step. Undefined: the page chooses. */
      readonly step?: number | null;
      /** From 1. Undefined: the last. */
      readonly attempt?: number;
      /** What is shown below the steps. Undefined: the page chooses. */
      readonly tab?: BuildTab;
      /** Lines, from 1, both included. */
      readonly range?: { readonly from: number; readonly to: number };
    }
  | { readonly type: "unknown"; readonly path: string };

/** `#tests`, `#artifacts`, `#about`, `#setup`, `#2`, `#2.1`, `#2.1:L120-L140`, `#2:L7` */
const place =
  /^#(?:(log|tests|artifacts|about)|(setup)|(\d{1,5}))(?:\.(\d{1,3}))?(?::L(\d{1,9})(?:-L?(\d{1,9}))?)?$/;

/** What an address means. `#build-12` is how builds were called before they had an address of their own. */
export function routeOf({
  pathname,
  search,
  hash,
}: Pick<URL, "pathname" | "search" | "hash">): Route {
  if (pathname === "/wall" || (pathname === "/" && new URLSearchParams(search).has("wall")))
    return { type: "wall" };
  if (pathname === "/") {
    const id = /^#build-(\d{1,15})$/.exec(hash)?.[1];
    return id === undefined ? { type: "console" } : { type: "build", id: Number(id) };
  }
  const id = /^\/builds\/(\d{1,15})\/?$/.exec(pathname)?.[1];
  if (id === undefined) return { type: "unknown", path: pathname };
  const [, tab, setup, step, attempt, from, to] = place.exec(hash) ?? [];
  return {
    type: "build",
    id: Number(id),
    ...(tab !== undefined && { tab: tab as BuildTab }),
    ...(setup !== undefined && { step: null }),
    ...(step !== undefined && { step: Number(step) }),
    ...(attempt !== undefined && { attempt: Number(attempt) }),
    ...(from !== undefined && { range: { from: Number(from), to: Number(to ?? from) } }),
  };
}

/** The address of a route. */
export function pathOf(route: Route): string {
  switch (route.type) {
    case "console":
      return "/";
    case "wall":
      return "/wall";
    case "unknown":
      return route.path;
    case "build": {
      const { id, tab, step, attempt, range } = route;
      if (step === undefined) return `/builds/${id}${tab === undefined ? "" : `#${tab}`}`;
      const lines = range === undefined ? "" : `:L${range.from}-L${range.to}`;
      return `/builds/${id}#${step ?? "setup"}${attempt === undefined ? "" : `.${attempt}`}${lines}`;
    }
  }
}

/** Where to log in, to come back to where one is. Browsers carry what follows `#` along, as the server never sees it. */
export function loginPath(): string {
  return `/login?next=${encodeURIComponent(location.pathname + location.search)}${location.hash}`;
}

/** Follows the address, and takes links of the page without loading it anew. */
export class Router {
  readonly #handleRoute: (route: Route) => void;

  constructor(handleRoute: (route: Route) => void) {
    this.#handleRoute = handleRoute;
    addEventListener("popstate", () => this.#follow());
    document.addEventListener("click", (event) => {
      const link = event.target instanceof Element ? event.target.closest("a") : null;
      if (link === null || !isOurs(link, event)) return;
      event.preventDefault();
      this.go(link.pathname + link.search + link.hash);
    });
    this.#follow();
  }

  go(path: string): void {
    const here = location.pathname + location.search + location.hash;
    if (path !== here) history.pushState(null, "", path);
    this.#follow();
  }

  /** Says where the page is by now, without a step in the history. */
  replace(route: Route): void {
    history.replaceState(null, "", pathOf(route));
  }

  #follow(): void {
    const route = routeOf(location);
    if (route.type === "build" && location.pathname === "/") this.replace(route);
    this.#handleRoute(route);
  }
}

/** Whether a click on a link is for this page, and not for another tab, a download or a file. */
function isOurs(link: HTMLAnchorElement, event: MouseEvent): boolean {
  if (event.defaultPrevented || event.button !== 0) return false;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return false;
  if (link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin)
    return false;
  // A link within the page is the browser's, but for the ones that name a step.
  if (link.getAttribute("href")?.startsWith("#") === true) return false;
  return routeOf(link).type !== "unknown";
}
