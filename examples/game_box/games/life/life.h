#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SIZE 20
#define CELLS (SIZE * SIZE)
#define MAX_PLAYERS 8
#define MAX_ID 64

// The whole state.  It is kept as it is in the plugin's variable `state`.
typedef struct {
  uint32_t version; // differs for each state
  uint32_t generation;
  uint8_t running;
  uint8_t players;
  uint8_t id_lengths[MAX_PLAYERS];
  char ids[MAX_PLAYERS][MAX_ID];
  uint8_t cells[CELLS]; // 1 is alive
} Life;

// Writes the page for a player or a spectator, and returns its length.
uint32_t page(const Life *life, bool player, char *to);

// The maximum length of a page, in bytes.
#define PAGE_SIZE (CELLS * 128 + 4096)
