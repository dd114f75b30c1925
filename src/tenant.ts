declare const tenantBrand: unique symbol;

/** The isolation unit. Made only by `auth/`, never from a spec, a URL or a tool argument. */
export interface Tenant {
  readonly [tenantBrand]: true;
  /** Positive integer, as in every table's `tenant_id`. */
  readonly id: number;
  readonly slug: string;
  /** IANA zone used where a spec names none. */
  readonly timezone: string;
  /** ISO day on which the tenant's weeks start: 1 Monday … 7 Sunday. */
  readonly weekStart: number;
}

/** Who acts: a user or an API key, always within one tenant. */
export interface Principal {
  readonly tenant: Tenant;
  readonly user: string;
}
