#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SIZE 20
#define CELLS (SIZE * SIZE)
#define MAX_PLAYERS 8
#define MAX_ID 64

// All of the state, kept as it is in the plugin's variable `state`.
typedef struct {
  uint32_t version; // another one for each state
  uint32_t generation;
  uint8_t running;
  uint8_t players;
  uint8_t id_lengths[MAX_PLAYERS];
  char ids[MAX_PLAYERS][MAX_ID];
  uint8_t cells[CELLS]; // 1 is alive
} Life;

// The page for a player, or for a spectator; its length.
uint32_t page(const Life *life, bool player, char *to);

// Bytes that no page exceeds.
#define PAGE_SIZE (CELLS * 128 + 4096)
