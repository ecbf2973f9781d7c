import { currentAutobuild } from "../running.ts";
import { refusal, type Access, type AccessRequest } from "./access.ts";
import { includesRole, type Role } from "./role.ts";

/** Who asks, of the AutoBuild that runs. */
export function accessOf(request: AccessRequest): Access {
  return currentAutobuild().auth.accessOf(request);
}

/**
 * For `authorize` of a service: the access, which becomes `client.user`, or the `Response` that refuses.
 *
 * Every service calls it first. What a client does later asks again: `currentAccess(client.user)`.
 *
 *     authorize: (request) => admit(request, "viewer"),
 */
export function admit(request: AccessRequest, role: Role): Access | Response {
  const access = accessOf(request);
  if (includesRole(access.role, role)) return access;
  return new Response(`${refusal(access, role)}\n`, {
    status: access.grant.type === "anonymous" || access.grant.type === "refused" ? 401 : 403,
    headers: { "Content-Type": "text/plain; charset=utf-8" },
  });
}

/** What somebody who was let in may do by now. */
export function currentAccess(access: Access): Access {
  return currentAutobuild().auth.renew(access);
}
