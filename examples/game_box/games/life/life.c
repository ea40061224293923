// Conway's Life on a torus of 20 by 20 cells, on which all players draw at the same time: the functions that GameBox calls.
//
// It uses Extism's PDK for C, and no libc.  The state is kept in the plugin's variable `state`, so that it outlives a crash of
// the instance.
#define EXTISM_IMPLEMENTATION
#include "extism-pdk.h"

#include "json.h"
#include "life.h"

#define INPUT_SIZE 16384

static Life life;
static char input[INPUT_SIZE];
static char html[PAGE_SIZE];

static int32_t output(const char *text) {
  extism_output_buf_from_sz(text);
  return 0;
}

// The host shows the text to the player who caused the event.  The state stays as it is.
static int32_t fail(const char *message) {
  extism_error_set_buf_from_sz(message);
  return -1;
}

static bool load_state(void) {
  ExtismHandle kept = extism_var_get_buf_from_sz("state");
  bool there = kept != 0 && extism_length(kept) == sizeof life && extism_load_from_handle(kept, 0, &life, sizeof life);
  extism_free(kept);
  return there;
}

// Keeps the new state, and returns its version to the host, which renders views of an older version again.
static int32_t save_state(void) {
  char answer[32] = "{\"version\":", digits[10];
  size_t end = 11, count = 0;
  uint32_t version = life.version;
  do digits[count++] = '0' + version % 10;
  while (version /= 10);
  while (count > 0) answer[end++] = digits[--count];
  answer[end++] = '}';
  extism_var_set_buf_from_sz("state", extism_alloc_buf(&life, sizeof life));
  extism_output_buf(answer, end);
  return 0;
}

// The input.  It is empty if it is longer than any input of a game.
static Slice load_input(void) {
  uint64_t length = extism_input_length();
  if (length > INPUT_SIZE || !extism_load_input(0, input, length)) return (Slice){NULL, 0};
  return (Slice){input, length};
}

static bool is_player(Slice id) {
  for (int i = 0; i < life.players; i++) {
    if (id.length != life.id_lengths[i]) continue;
    size_t k = 0;
    while (k < id.length && id.text[k] == life.ids[i][k]) k++;
    if (k == id.length && k > 0) return true;
  }
  return false;
}

static bool add_player(Slice id) {
  if (life.players == MAX_PLAYERS || id.length == 0 || id.length > MAX_ID) return false;
  for (size_t i = 0; i < id.length; i++) life.ids[life.players][i] = id.text[i];
  life.id_lengths[life.players++] = id.length;
  return true;
}

// ---- The rules ----

static int neighbours(int row, int column) {
  int count = 0;
  for (int i = -1; i <= 1; i++)
    for (int k = -1; k <= 1; k++)
      if (i || k) count += life.cells[(row + i + SIZE) % SIZE * SIZE + (column + k + SIZE) % SIZE];
  return count;
}

static void next_generation(void) {
  uint8_t next[CELLS];
  for (int cell = 0; cell < CELLS; cell++) {
    int count = neighbours(cell / SIZE, cell % SIZE);
    next[cell] = count == 3 || (count == 2 && life.cells[cell]);
  }
  for (int cell = 0; cell < CELLS; cell++) life.cells[cell] = next[cell];
  life.generation++;
  life.version++;
}

static void glider(void) {
  static const uint8_t cells[] = {1, SIZE + 2, 2 * SIZE, 2 * SIZE + 1, 2 * SIZE + 2};
  for (size_t i = 0; i < sizeof cells; i++) life.cells[cells[i]] = 1;
}

// Fills a third of the cells, by a sequence that depends on the version.  A plugin without WASI has no random numbers.
static void scatter(void) {
  uint32_t random = life.version * 2654435761u + 1;
  for (int cell = 0; cell < CELLS; cell++) {
    random = random * 1664525u + 1013904223u;
    life.cells[cell] = (random >> 16) % 3 == 0;
  }
}

static void clear(void) {
  for (int cell = 0; cell < CELLS; cell++) life.cells[cell] = 0;
  life.generation = 0;
  life.running = 0;
}

// ---- Exports ----

int32_t EXTISM_EXPORTED_FUNCTION(describe) {
  return output("{\"title\":\"Life\",\"description\":\"Conway's Game of Life. Everybody draws on the same board, also while it runs.\"}");
}

int32_t EXTISM_EXPORTED_FUNCTION(get_constraints) {
  return output("{\"min_players\":1,\"max_players\":8,\"tick_ms\":100}");
}

int32_t EXTISM_EXPORTED_FUNCTION(init_game) {
  life = (Life){0};
  if (!json_strings(json_member(load_input(), "player_ids"), add_player) || life.players == 0)
    return fail("Life is for one to eight players");
  glider();
  return save_state();
}

int32_t EXTISM_EXPORTED_FUNCTION(handle_event) {
  if (!load_state()) return fail("the game has not begun");
  Slice event = load_input(), name = json_string(json_member(event, "event_name"));
  if (!is_player(json_string(json_member(event, "player_id")))) return fail("you are watching");

  if (slice_is(name, "toggle")) {
    int cell = json_number(json_member(json_member(event, "value"), "cell"));
    if (cell < 0 || cell >= CELLS) return fail("there is no such cell");
    life.cells[cell] ^= 1;
  } else if (slice_is(name, "run")) {
    life.running ^= 1;
  } else if (slice_is(name, "step")) {
    next_generation();
  } else if (slice_is(name, "glider")) {
    glider();
  } else if (slice_is(name, "scatter")) {
    scatter();
  } else if (slice_is(name, "clear")) {
    clear();
  } else {
    return fail("there is no such event");
  }
  life.version++;
  return save_state();
}

// The host calls it every tick_ms.
int32_t EXTISM_EXPORTED_FUNCTION(tick) {
  if (!load_state()) return fail("the game has not begun");
  if (life.running) next_generation();
  return save_state();
}

int32_t EXTISM_EXPORTED_FUNCTION(render) {
  if (!load_state()) return fail("the game has not begun");
  bool player = is_player(json_string(json_member(load_input(), "player_id")));
  extism_output_buf(html, page(&life, player, html));
  return 0;
}
