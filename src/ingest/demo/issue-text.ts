import type { Random } from "./random.ts";
import { ACCEPTANCE, REASONS, STORY_OPENINGS, TASK_OPENINGS } from "./words.ts";
import type { Topic } from "./words.ts";

export type DemoType = "Story" | "Task" | "Bug" | "Epic";

/** A plausible title and body. */
export function issueText(type: DemoType, topic: Topic, random: Random): { readonly summary: string; readonly description: string } {
  const thing = random.pick(topic.things);
  if (type === "Bug") {
    const symptom = random.pick(topic.symptoms);
    return {
      summary: `${capital(thing)} ${symptom}`,
      description: `Seen in ${random.pick(topic.components)}: ${thing} ${symptom}.\n\nSteps: open the page, use ${thing} twice, wait. Happens in about ${random.int(2, 9)} of 10 attempts.\n${random.pick(REASONS)}`,
    };
  }
  if (type === "Epic") return { summary: `${capital(thing)}: next generation`, description: random.pick(REASONS) };
  const opening = random.pick(type === "Story" ? STORY_OPENINGS : TASK_OPENINGS);
  return {
    summary: `${opening} ${thing}`,
    description: `${random.pick(REASONS)} This is about ${thing} in ${random.pick(topic.components)}.\n\n${random.pick(ACCEPTANCE)}`,
  };
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
