/** Moving through the list, a task or a log of `status --watch`. */
import type { NamedKey } from "./keys.ts";
import { renderTaskPage } from "./task_page.ts";
import { inView, listRows, type WatchModel } from "./watch_model.ts";
import { lineWidth } from "../width.ts";

/** Any other key moves nothing. */
export function scroll(model: WatchModel, kind: NamedKey): WatchModel {
  const rows = listRows(model.size);
  const steps: Partial<Record<NamedKey, number>> = {
    up: -1,
    down: 1,
    "page-up": -rows,
    "page-down": rows,
    home: -Infinity,
    end: Infinity,
  };
  const by = steps[kind] ?? 0;
  const { page } = model;
  switch (page.kind) {
    case "list": {
      // A page is turned as a whole: the picked one stays at its height.
      const top = kind.startsWith("page") ? model.top + by : model.top;
      return inView({ ...model, at: model.at + by, top });
    }
    case "task": {
      const lines = renderTaskPage(page, model.now, lineWidth(model.size.columns)).length;
      const lowest = Math.max(0, lines - rows);
      const top = Math.max(0, Math.min(page.top + by, lowest));
      return { ...model, page: { ...page, top } };
    }
    case "log":
      return {
        ...model,
        page: { ...page, up: Math.min(page.lines.length, Math.max(0, page.up - by)) },
      };
  }
}
