import { type AllowList, extentOf, type Principal, SCOPES } from "../tenant.ts";
import { type TenantRecord, toPrincipal } from "./identify.ts";

/**
 * The principal whose `extentOf` was kept with something that they asked for and that is done later. Throws where the text
 * is not one of ours, or of another tenant.
 */
export function restorePrincipal(record: TenantRecord, user: string, extent: string): Principal {
  const [, scopes, metrics, projects, instances] = JSON.parse(extent) as [number, string[], ...(string[] | null)[]];
  const allowed: AllowList = {
    ...(metrics ? { metrics } : {}),
    ...(projects ? { projects } : {}),
    ...(instances ? { instances } : {}),
  };
  const principal = toPrincipal(record, { user, scopes: SCOPES.filter((scope) => scopes.includes(scope)), allowed });
  if (extentOf(principal) !== extent) throw new Error("a kept extent does not belong to this tenant");
  return principal;
}
