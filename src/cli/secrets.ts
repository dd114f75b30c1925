import { type CredentialPlace, type Flags, type Host, UsageError } from "./host.ts";
import { textTable } from "./table.ts";

const MAX_SECRET_BYTES = 64 * 1024;

/** Stores a tracker's credential, read from standard input: a command line is seen by everyone on the machine. */
export async function credentialSet(
  host: Host,
  flags: Flags,
  place: CredentialPlace,
  { fernet }: { readonly fernet: boolean },
): Promise<void> {
  const value = (await host.readStdin()).replace(/\r?\n$/, "");
  if (value === "")
    throw new UsageError('give the credential on standard input, as in: printf %s "$TOKEN" | metricgate instance credential set …');
  if (Buffer.byteLength(value) > MAX_SECRET_BYTES) throw new UsageError(`a credential has at most ${MAX_SECRET_BYTES} bytes`);
  const product = await host.open(flags);
  try {
    await (await product.access()).setCredential(place, value, fernet);
    host.write(`stored credential ${place.name} of ${place.tenant}/${place.instance}\n`);
  } finally {
    await product.close();
  }
}

/** Names and ages; a value is never shown. */
export async function credentialList(host: Host, flags: Flags, tenant: string, instance: string): Promise<void> {
  const product = await host.open(flags);
  try {
    const listed = await (await product.access()).listCredentials(tenant, instance);
    const rows = listed.map(({ name, updatedAt, kid }) => [name, `${updatedAt.slice(0, 16).replace("T", " ")}Z`, kid]);
    host.write(
      listed.length === 0 ? `no credentials of ${tenant}/${instance}\n` : textTable(["credential", "stored", "sealed with"], rows),
    );
  } finally {
    await product.close();
  }
}

export async function credentialRemove(host: Host, flags: Flags, place: CredentialPlace): Promise<void> {
  const product = await host.open(flags);
  try {
    await (await product.access()).removeCredential(place);
    host.write(`removed credential ${place.name} of ${place.tenant}/${place.instance}\n`);
  } finally {
    await product.close();
  }
}

/** Seals everything with the primary key; false when something could not be. */
export async function secretsRotate(host: Host, flags: Flags): Promise<boolean> {
  const product = await host.open(flags);
  try {
    const { primary, rotated, current, failed, olderKeys } = await (await product.access()).rotateSecrets();
    host.write(`${rotated} credentials sealed anew with key ${primary}, ${current} were already, ${failed.length} could not be opened.\n`);
    for (const { tenant, instanceId, name, reason } of failed) host.warn(`${tenant}/${instanceId} ${name}: ${reason}\n`);
    if (olderKeys > 0)
      host.warn(`note: ${olderKeys} active API keys rest on older keys; keep those in the ring, or replace these API keys\n`);
    return failed.length === 0;
  } finally {
    await product.close();
  }
}
