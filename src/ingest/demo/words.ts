/** People of the demo; invented. */
export const PEOPLE = [
  "Ada Novak",
  "Bruno Keller",
  "Chiara Rossi",
  "Dmitri Sokolov",
  "Elif Aydin",
  "Farah Haddad",
  "Goran Petrov",
  "Hana Svoboda",
  "Ines Moreau",
  "Jonas Lind",
  "Kofi Mensah",
  "Lena Fischer",
  "Mateo Cruz",
  "Nadia Rahman",
  "Oskar Berg",
  "Priya Nair",
  "Quentin Duval",
  "Rosa Almeida",
  "Sven Olsen",
  "Tomas Dvorak",
  "Uma Iyer",
  "Viktor Horvath",
  "Wen Zhao",
  "Yara Costa",
] as const;

/** What a team works on: the vocabulary of its issue texts. */
export interface Topic {
  readonly components: readonly string[];
  readonly things: readonly string[];
  readonly symptoms: readonly string[];
}

export const TOPICS = {
  payments: {
    components: ["Checkout", "Invoicing", "Refunds", "Ledger"],
    things: [
      "card authorisation",
      "refund workflow",
      "invoice PDF",
      "currency rounding",
      "payout schedule",
      "3-D Secure redirect",
      "tax calculation",
      "dunning e-mail",
      "bank reconciliation",
      "saved cards",
    ],
    symptoms: [
      "charges the customer twice",
      "times out after 30 seconds",
      "rounds to the wrong cent",
      "loses the order reference",
      "rejects valid postal codes",
      "shows the amount without tax",
    ],
  },
  search: {
    components: ["Indexing", "Ranking", "Suggestions", "Filters"],
    things: [
      "autocomplete",
      "synonym list",
      "facet counts",
      "index rebuild",
      "relevance of short queries",
      "typo tolerance",
      "result highlighting",
      "query log",
      "stop words",
      "saved searches",
    ],
    symptoms: [
      "returns nothing for umlauts",
      "ranks archived items first",
      "takes 8 seconds on a cold cache",
      "drops results on page two",
      "ignores the selected filter",
      "crashes on an empty query",
    ],
  },
  mobile: {
    components: ["Android", "iOS", "Offline sync", "Notifications"],
    things: [
      "offline mode",
      "push notifications",
      "login with biometrics",
      "dark theme",
      "image upload",
      "deep links",
      "session refresh",
      "onboarding tour",
      "crash reporting",
      "app size",
    ],
    symptoms: [
      "crashes when the device rotates",
      "drains the battery in the background",
      "loses unsaved drafts",
      "shows a blank screen after login",
      "delivers notifications twice",
      "freezes on slow networks",
    ],
  },
  platform: {
    components: ["CI", "Deployments", "Observability", "Accounts"],
    things: [
      "build cache",
      "canary release",
      "audit log",
      "service mesh upgrade",
      "secret rotation",
      "rate limits",
      "tracing of background jobs",
      "database failover",
      "permission model",
      "cost report",
    ],
    symptoms: [
      "fails on the second retry",
      "leaks connections under load",
      "reports the wrong region",
      "blocks deployments for an hour",
      "grants access after revocation",
      "fills the disk with logs",
    ],
  },
  web: {
    components: ["Dashboard", "Forms", "Accessibility", "Design system"],
    things: [
      "dashboard widgets",
      "form validation",
      "keyboard navigation",
      "table export",
      "date picker",
      "colour contrast",
      "lazy loading",
      "user preferences",
      "empty states",
      "print layout",
    ],
    symptoms: [
      "overlaps the menu on small screens",
      "forgets the sort order",
      "cannot be reached by keyboard",
      "exports the wrong columns",
      "shows yesterday's date",
      "flickers while loading",
    ],
  },
} as const satisfies Record<string, Topic>;

export const STORY_OPENINGS = [
  "Let users change",
  "Add a preview for",
  "Simplify",
  "Show the history of",
  "Speed up",
  "Support several languages in",
  "Make it possible to undo",
  "Redesign",
] as const;
export const TASK_OPENINGS = [
  "Upgrade the library behind",
  "Write tests for",
  "Document",
  "Remove the old code of",
  "Measure",
  "Migrate the data of",
] as const;
export const REASONS = [
  "Support gets several questions about this every week.",
  "Three customers asked for it in the last review.",
  "It is the most frequent reason for leaving the page.",
  "The present solution does not survive the next increase in volume.",
  "Sales promised it for the coming quarter.",
  "We agreed on this in the retrospective.",
] as const;
export const ACCEPTANCE = [
  "Done when it works in all supported browsers and is documented.",
  "Done when the dashboard shows no errors for a week.",
  "Done when the regression test is part of the nightly run.",
  "Done when product has seen it on staging.",
] as const;
