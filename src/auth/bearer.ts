import { AppError } from "../errors.ts";

/** RFC 6750, section 2.1; what a credential may be made of. */
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;
/** The credential of a request's Authorization header; undefined without the header. Throws UNAUTHENTICATED for any other kind of it. */
export function bearerOf(request: Request): string | undefined {
  const header = request.headers.get("authorization");
  if (header === null) return undefined;
  const bearer = BEARER.exec(header)?.[1];
  if (bearer !== undefined) return bearer;
  throw new AppError("UNAUTHENTICATED", "The Authorization header is not `Bearer <API key or access token>`.", {
    next: "Send one credential as `Authorization: Bearer …`.",
  });
}
