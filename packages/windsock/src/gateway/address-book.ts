import type { AddressBook } from "../service/addresses.ts";
import type { RouteTable } from "./route-table.ts";

/** The routes as the actors' side needs them. */
export function addressBook(routes: RouteTable): AddressBook {
  return {
    parse(address) {
      const match = routes.parseAddress(address);
      return match.type === "service"
        ? { name: match.route.name, params: match.params }
        : undefined;
    },
    format: (name, params) => routes.addressOf(name, params),
  };
}
