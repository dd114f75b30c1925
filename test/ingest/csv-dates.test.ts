import { expect, test } from "vitest";
import { csvInstant, orderShownBy } from "../../src/ingest/csv-dates.ts";

test.each([
  ["22/Mar/14 07:59", "2014-03-22T07:59:00.000Z"],
  ["16/02/2017 15:26", "2017-02-16T15:26:00.000Z"],
  ["03/04/2017 3:26 PM", "2017-04-03T15:26:00.000Z"],
  ["16/Feb/17 12:05 AM", "2017-02-16T00:05:00.000Z"],
  ["29/июл/26 09:59", "2026-07-29T09:59:00.000Z"],
  ["05/мая/25 10:00", "2025-05-05T10:00:00.000Z"],
  ["17/août/23 08:15", "2023-08-17T08:15:00.000Z"],
  ["01/Dez/22 23:59:58", "2022-12-01T23:59:58.000Z"],
  ["01/Mär/22", "2022-03-01T00:00:00.000Z"],
  ["3/ene/24 1:02 p.m.", "2024-01-03T13:02:00.000Z"],
  ["14/三月/22 2:30 下午", "2022-03-14T14:30:00.000Z"],
  ["24.12.2021 18:00", "2021-12-24T18:00:00.000Z"],
  ["2014/03/22 07:59", "2014-03-22T07:59:00.000Z"],
  ["2014-03-22T07:59:00+0100", "2014-03-22T06:59:00.000Z"],
  ["Mar 22, 2014 7:59 AM", "2014-03-22T07:59:00.000Z"],
  ["22 March 2014", "2014-03-22T00:00:00.000Z"],
  ["09/Sept/98 00:00", "1998-09-09T00:00:00.000Z"],
])("reads %s", (text, instant) => {
  expect(csvInstant(text, "day_first")).toBe(instant);
});

test("the order of day and month decides numeric dates only", () => {
  expect(csvInstant("03/04/2017 15:26", "month_first")).toBe("2017-03-04T15:26:00.000Z");
  expect(csvInstant("03/Apr/17", "month_first")).toBe("2017-04-03T00:00:00.000Z");
});

test.each(["", "abc", "29:10.8", "31/02/2017 10:00", "10/Foo/14", "12/Ma/14", "99/99/2014"])("reads no date in %j", (text) => {
  expect(csvInstant(text, "day_first")).toBeNull();
});

test("a part above 12 shows the order", () => {
  expect(["16/02/2017", "02/16/2017 1:00", "02/03/2017", "16/Feb/17", ""].map(orderShownBy)).toEqual([
    "day_first",
    "month_first",
    null,
    null,
    null,
  ]);
});
