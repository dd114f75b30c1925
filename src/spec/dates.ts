/** Whether `text` is a day of the calendar as 'YYYY-MM-DD', from year 1 to 9999. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || text.startsWith("0000")) return false;
  const parsed = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().slice(0, 10) === text;
}

/** Whether `text` is an ISO instant with its offset: '2024-01-31T12:00:00Z', '…+02:00'. No offset of PostgreSQL reaches 16 hours. */
export function isInstant(text: string): boolean {
  const match = /^(\d{4}-\d{2}-\d{2})T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-](0\d|1[0-5]):?[0-5]\d)$/.exec(text);
  return match?.[1] !== undefined && isDate(match[1]);
}
