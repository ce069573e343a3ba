import type { Parent } from '../../common/subprocess.ts';

export interface AnsweringOptions {
  readonly word: string;
  /** Said at the end. */
  readonly farewells?: number;
}

/** Answers each message with the word and the message, until it is asked to end; "hang" it never gets over. */
export async function run({
  options: { word, farewells = 0 },
  messages,
  stopping,
  send,
}: Parent<AnsweringOptions, string, string>): Promise<void> {
  for await (const message of messages) {
    while (message === 'hang');
    send(`${word} ${message} ${process.pid}`);
  }
  for (let i = 0; i < farewells; i++) send(`${stopping.aborted ? 'bye' : 'what?'} ${i}`);
}
