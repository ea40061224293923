// The page.  From one generation to the next only texts change, never which elements there are: so a generation costs the browsers
// some bytes for each cell that was born or has died.  Styles are in the elements, where every host lets them be.
#include "life.h"

#define BUTTON "<button type=\"button\" style=\"padding:8px 16px;margin:4px;border:0;border-radius:8px;cursor:pointer;" \
  "font:inherit;background:#1e293b;color:#fff\" phx-click=\""

static char *append(char *to, const char *text) {
  while (*text) *to++ = *text++;
  return to;
}

static char *append_number(char *to, uint32_t number) {
  if (number >= 10) to = append_number(to, number / 10);
  *to = '0' + number % 10;
  return to + 1;
}

// A dead cell has a text, too, so that it is the text that changes.
static char *append_cell(char *to, const Life *life, uint32_t cell, bool player) {
  to = append(to, "<button type=\"button\" ");
  if (player) {
    to = append(to, "phx-click=\"toggle\" phx-value-cell=\"");
    to = append_number(to, cell);
    to = append(to, "\"");
  } else {
    to = append(to, "disabled");
  }
  to = append(to, " title=\"row ");
  to = append_number(to, cell / SIZE + 1);
  to = append(to, ", column ");
  to = append_number(to, cell % SIZE + 1);
  to = append(to, "\" style=\"aspect-ratio:1;min-width:0;padding:0;border:0;overflow:hidden;background:#0f172a;color:#a3e635;"
                  "font:28px/0 sans-serif\">");
  to = append(to, life->cells[cell] ? "●" : "·");
  return append(to, "</button>");
}

uint32_t page(const Life *life, bool player, char *to) {
  char *begin = to;
  to = append(to, "<section style=\"text-align:center;font-family:system-ui,sans-serif\"><p>Generation ");
  to = append_number(to, life->generation);
  to = append(to, "</p><div role=\"group\" aria-label=\"Board\" style=\"display:grid;grid-template-columns:repeat(20,1fr);gap:1px;"
                  "width:100%;max-width:480px;margin:0 auto;padding:1px;box-sizing:border-box;background:#1e293b\">");
  for (uint32_t cell = 0; cell < CELLS; cell++) to = append_cell(to, life, cell, player);
  to = append(to, "</div>");
  if (player) {
    to = append(to, "<p>" BUTTON "run\">");
    to = append(to, life->running ? "Pause" : "Run");
    to = append(to, "</button>" BUTTON "step\">Step</button>" BUTTON "glider\">Glider</button>" BUTTON
                    "scatter\">Scatter</button>" BUTTON "clear\">Clear</button></p>");
  }
  to = append(to, "</section>");
  return to - begin;
}
