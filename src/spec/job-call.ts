const MAX_CHARACTERS = 3_000;

/** The call that asks a question as a background job, ready to be sent; of a spec that is too long for a sentence only its shape. */
export function jobCall(spec: unknown): string {
  const text = JSON.stringify({ spec: asked(spec) });
  return `start_job ${text.length <= MAX_CHARACTERS ? text : '{"spec": the same spec}'}`;
}

/** A spec without what it leaves at its default. */
function asked(spec: unknown): unknown {
  if (typeof spec !== "object" || spec === null || Array.isArray(spec)) return spec;
  const entries = Object.entries(spec).filter(
    ([key, value]) => value !== null && value !== false && key !== "dry_run" && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(entries);
}
