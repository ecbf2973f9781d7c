import { currentAutobuild } from "../running.ts";
import { isUnknown, refusal, type Access, type AccessRequest } from "./access.ts";
import { includesRole, type Role } from "./role.ts";

/**
 * For `authorize` of a service: the access, which becomes `client.user`, or the `Response` that refuses.
 *
 * Every service calls it first. What a client does later asks again: `currentAccess(client.user)`.
 *
 *     authorize: (request) => admit(request, "viewer"),
 */
export function admit(request: AccessRequest, role: Role): Access | Response {
  const access = currentAutobuild().auth.accessOf(request);
  if (includesRole(access.role, role)) return access;
  return new Response(`${refusal(access, role)}\n`, {
    status: isUnknown(access) ? 401 : 403,
    headers: { "Content-Type": "text/plain; charset=utf-8" },
  });
}

/** What somebody who was let in may do by now. */
export function currentAccess(access: Access): Access {
  return currentAutobuild().auth.renew(access);
}
