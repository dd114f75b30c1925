import { TOPICS } from "./words.ts";
import type { Topic } from "./words.ts";

/** What one team is like at a moment; `monthsAgo` counts back from the demo's now. */
export interface TeamPace {
  readonly people: number;
  /** Planned work ÷ what the team can do. */
  readonly optimism: number;
  /** Days an issue waits for its review, median. */
  readonly reviewDays: number;
  /** Bugs reported per sprint, mean, and the share of them that customers found. */
  readonly bugs: number;
  readonly escapedShare: number;
}

export interface TeamStory {
  readonly projectKey: string;
  readonly name: string;
  readonly topic: Topic;
  readonly pace: (monthsAgo: number) => TeamPace;
}

/** A tenant's demo: what its numbers should make visible. */
export interface Story {
  readonly name: "demo" | "acme";
  readonly teams: readonly TeamStory[];
}

const STEADY: TeamPace = { people: 5, optimism: 0.9, reviewDays: 0.5, bugs: 1.6, escapedShare: 0.15 };

/** 0 before `from` months ago, 1 from `to` on, linear between. */
function ramp(monthsAgo: number, from: number, to: number): number {
  return Math.min(1, Math.max(0, (from - monthsAgo) / (from - to)));
}

/** Months ago of the reorganisation that halves Payments, of the plan that fits it again, of Mobile's bad release. */
const REORGANISATION = 8;
const NEW_PLAN = 2.5;
const BAD_RELEASE = 5;

/**
 * Tenant "demo": after a reorganisation Payments plans as before with half the people, spillover climbs until the plan
 * is cut; a bad release brings Mobile a wave of bugs that ebbs. Search is the quiet team to compare with.
 */
export const DEMO_STORY: Story = {
  name: "demo",
  teams: [
    {
      projectKey: "PAY",
      name: "Payments",
      topic: TOPICS.payments,
      pace: (monthsAgo) => {
        if (monthsAgo > REORGANISATION) return { ...STEADY, people: 6 };
        if (monthsAgo < NEW_PLAN) return { ...STEADY, people: 5, optimism: 0.6 };
        return { ...STEADY, people: 3, optimism: 1.1 + 1.4 * ramp(monthsAgo, REORGANISATION, NEW_PLAN) };
      },
    },
    { projectKey: "SRCH", name: "Search", topic: TOPICS.search, pace: () => STEADY },
    {
      projectKey: "MOB",
      name: "Mobile",
      topic: TOPICS.mobile,
      pace: (monthsAgo) => {
        const isWave = monthsAgo <= BAD_RELEASE && monthsAgo > BAD_RELEASE - 2.5;
        const ebb = ramp(monthsAgo, BAD_RELEASE, BAD_RELEASE - 2.5);
        return isWave ? { ...STEADY, bugs: 11 - 8 * ebb, escapedShare: 0.6 } : STEADY;
      },
    },
  ],
};

/** Tenant "acme": plans are kept and bugs are few, but the queue in front of the review grows month by month. */
export const ACME_STORY: Story = {
  name: "acme",
  teams: [
    {
      projectKey: "PLAT",
      name: "Platform",
      topic: TOPICS.platform,
      pace: (monthsAgo) => ({ ...STEADY, optimism: 0.75, bugs: 1, reviewDays: 0.4 + 3.4 * ramp(monthsAgo, 11, 0) }),
    },
    {
      projectKey: "WEB",
      name: "Web",
      topic: TOPICS.web,
      pace: (monthsAgo) => ({ ...STEADY, people: 6, optimism: 0.75, bugs: 1.2, reviewDays: 0.4 + 1.8 * ramp(monthsAgo, 9, 0) }),
    },
  ],
};
