#ifndef KEYS_CTL_PROGRESS_H
#define KEYS_CTL_PROGRESS_H

/* Progress of a long part: a bar that is redrawn on a terminal, a plain line every few seconds elsewhere. */

#include <stdbool.h>
#include <stdint.h>

enum progress_unit { PROGRESS_BYTES, PROGRESS_ROWS };

/* ---- arithmetic ---- */

/* A second; 0 as long as nothing can be said (nothing done, no time passed). */
uint64_t progress_rate(uint64_t done, uint64_t ms);
/* Seconds, rounded up; UINT64_MAX when not known. */
uint64_t progress_left_s(uint64_t done, uint64_t total, uint64_t rate);
/* Full cells of a bar: all of them only when everything is done. A total of 0 is an empty bar. */
unsigned progress_cells(uint64_t done, uint64_t total, unsigned cells);
/* "12.3 MiB", "999 B" */
void progress_bytes(uint64_t n, char out[static 16]);
/* "7 s", "3 min 05 s", "2 h 10 min"; "?" for UINT64_MAX */
void progress_duration(uint64_t s, char out[static 32]);

/* ---- drawing ---- */

struct progress {
    const char *ja, *en;      /* what is being done, literals */
    enum progress_unit unit;
    uint64_t began_at;        /* what was done already when it started (a resumed upload) */
    uint64_t started_ms, drawn_ms;
    bool open;                /* a bar stands on the terminal, without its line end */
    bool terminal;
};
void progress_start(struct progress *p, const char *ja, const char *en, enum progress_unit unit, uint64_t began_at);

struct progress_at {
    uint64_t done, total, errors;
    uint64_t rate, left_s;    /* rate 0: reckoned here */
    const char *note_ja, *note_en; /* NULL: none */
};
/* Draws when it is time to. */
void progress_show(struct progress *p, const struct progress_at *at);
/* Draws a last time and ends the line of a bar. */
void progress_end(struct progress *p, const struct progress_at *at);
/* Ends the line of a bar as it stands, so that something else can be said. */
void progress_break(struct progress *p);

#endif
