// The page.  From one generation to the next only values change, but never the elements.  A generation therefore costs a browser
// some bytes for each cell that was born or died.  The board is in rows, because a browser skips a row without changes.  It is
// styled by GameBox's classes, because 400 cells with inline styles would be a long page to read each time.
#include "life.h"

#define BUTTON "<button class=\"game-button\" phx-click=\""

static char *append(char *to, const char *text) {
  while (*text) *to++ = *text++;
  return to;
}

static char *append_number(char *to, uint32_t number) {
  if (number >= 10) to = append_number(to, number / 10);
  *to = '0' + number % 10;
  return to + 1;
}

// A live cell is a pressed button, both visually and for screen readers.
static char *append_cell(char *to, const Life *life, uint32_t cell, bool player) {
  to = append(to, "<button ");
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
  to = append(to, life->cells[cell] ? "\" aria-pressed=\"true" : "\" aria-pressed=\"false");
  return append(to, "\"></button>");
}

static char *append_row(char *to, const Life *life, uint32_t row, bool player) {
  to = append(to, "<div>");
  for (uint32_t column = 0; column < SIZE; column++) to = append_cell(to, life, row * SIZE + column, player);
  return append(to, "</div>");
}

uint32_t page(const Life *life, bool player, char *to) {
  char *begin = to;
  to = append(to, "<p style=\"text-align:center\">Generation ");
  to = append_number(to, life->generation);
  to = append(to, "</p><div class=\"game-grid\" role=\"group\" aria-label=\"Board\" style=\"max-width:480px;color:#a3e635\">");
  for (uint32_t row = 0; row < SIZE; row++) to = append_row(to, life, row, player);
  to = append(to, "</div>");
  if (player) {
    to = append(to, "<p style=\"text-align:center\">" BUTTON "run\">");
    to = append(to, life->running ? "Pause" : "Run");
    to = append(to, "</button>" BUTTON "step\">Step</button>" BUTTON "glider\">Glider</button>" BUTTON
                    "scatter\">Scatter</button>" BUTTON "clear\">Clear</button></p>");
  }
  return to - begin;
}
