#ifndef TESTS_SMUGGLING_CASES_H
#define TESTS_SMUGGLING_CASES_H

/* Reads cases.txt. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/buf.h"

enum { CASE_ANSWERS_MAX = 8, CASE_LINE_MAX = 64 * 1024, CASES_MAX = 4096 };

struct smuggling_case {
    char *name;
    int answers[CASE_ANSWERS_MAX]; /* statuses in their order */
    unsigned n_answers;
    bool cut;                      /* the last one ends the connection although the request was well-formed */
    struct buf bytes;
};

struct smuggling_cases { struct smuggling_case *all; size_t n; };

static inline int case_hex(char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; }

/* Without the escapes. false: none of ours. */
static inline bool case_bytes(const char *p, struct buf *out)
{
    unsigned long times = 1;
    for (; *p && *p != '\n'; p++) {
        int c = (unsigned char)*p;
        if (c == '\\') {
            c = *++p;
            if (c == '(') {
                char *end;
                times = strtoul(p + 1, &end, 10);
                p = end;
                if (*p != ')')
                    return false;
                continue;
            }
            static const char FROM[] = "rnt\\", TO[] = "\r\n\t\\";
            const char *at = c ? strchr(FROM, c) : NULL;
            if (c == 'x' && p[1] && p[2]) {
                c = case_hex(p[1]) * 16 + case_hex(p[2]);
                p += 2;
            } else if (at) {
                c = TO[at - FROM];
            } else {
                return false;
            }
        }
        for (; times > 0; times--)
            buf_putc(out, (uint8_t)c);
        times = 1;
    }
    return true;
}

static inline bool case_answers(struct smuggling_case *c, char *text)
{
    for (char *save = NULL, *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        if (c->n_answers == CASE_ANSWERS_MAX || c->cut)
            return false;
        char *end;
        c->answers[c->n_answers++] = (int)strtol(w, &end, 10);
        c->cut = *end == '!';
    }
    return c->n_answers > 0;
}

/* Dies with a line on stderr when the file is not good. */
static inline struct smuggling_cases cases_read(const char *path)
{
    struct smuggling_cases s = { calloc(CASES_MAX, sizeof(struct smuggling_case)), 0 };
    char *line = malloc(CASE_LINE_MAX);
    FILE *f = fopen(path, "r");
    bool good = s.all && line && f;
    while (good && fgets(line, CASE_LINE_MAX, f)) {
        if (line[0] == '#')
            continue;
        struct smuggling_case *c = &s.all[s.n++];
        char *save = NULL, *name = strtok_r(line, "\t", &save), *answers = strtok_r(NULL, "\t", &save), *bytes = strtok_r(NULL, "\n", &save);
        buf_init(&c->bytes, CASE_LINE_MAX);
        c->name = name ? strdup(name) : NULL;
        good = s.n < CASES_MAX && c->name && answers && bytes && case_answers(c, answers) && case_bytes(bytes, &c->bytes) && c->bytes.n > 0;
    }
    if (!good || s.n == 0) {
        fprintf(stderr, "%s: case %zu cannot be read\n", path, s.n);
        exit(2);
    }
    free(line);
    fclose(f);
    return s;
}

static inline void cases_free(struct smuggling_cases *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->all[i].name);
        buf_done(&s->all[i].bytes);
    }
    free(s->all);
}

#define SMUGGLING_LAST LIT("GET /health HTTP/1.1\r\nHost: door\r\nConnection: close\r\n\r\n")

#endif
