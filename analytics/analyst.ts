import { setSettings, showSettings } from './detect/configFile.ts';
import { mute, setStatus, unmute } from './detect/list.ts';
import { whatIf } from './detect/whatIf.ts';

/** What other programs have this one do: settings and marks are its own, with all their rules. */
export const analyst = { mute, unmute, setStatus, showSettings, setSettings, whatIf };
