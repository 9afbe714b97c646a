#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/http/http.h"
#include "tests/smuggling/cases.h"

/* Every known way to have a byte stream read in two ways (tests/smuggling/cases.txt), against the parser alone: whole, byte by byte, cut at every byte. */

enum { HEADER_MAX = 16 * 1024, FEW = 64 /* of a stream that is long by repetition: cuts */ };

struct reading { int answers[2 * CASE_ANSWERS_MAX]; unsigned n, refused; };

static bool feed(struct http_parser *p, struct slice in, struct reading *r)
{
    const struct http_head *head;
    struct slice data;
    struct err why;
    for (;;) {
        switch (http_next(p, &in, &head, &data, &why)) {
        case HTTP_NEED: return true;
        case HTTP_HEAD:
        case HTTP_BODY: break;
        case HTTP_DONE:
            if (r->n < CASE_ANSWERS_MAX)
                r->answers[r->n++] = 0;
            break;
        case HTTP_BAD:
            r->answers[r->n++] = err_info(why.code)->status;
            r->refused = true;
            return false;
        }
    }
}

static struct reading read_stream(struct slice in, size_t first, size_t step)
{
    struct reading r = { 0 };
    struct http_parser *p = http_parser_new((struct http_limits){ .header_max = HEADER_MAX });
    struct slice piece;
    assert_non_null(p);
    bool good = slice_take(&in, first < in.n ? first : in.n, &piece) && feed(p, piece, &r);
    while (good && in.n > 0) {
        slice_take(&in, step < in.n ? step : in.n, &piece);
        good = feed(p, piece, &r);
    }
    http_parser_free(p);
    return r;
}

/* A well-formed request whose status the door decides counts as 0. */
static bool as_expected(const struct smuggling_case *c, const struct reading *r)
{
    bool to_end = c->answers[c->n_answers - 1] == 200 && !c->cut;
    if (c->cut) /* the door hangs up behind the head; what the parser would read on does not matter */
        return r->n >= c->n_answers || !r->refused || r->n == c->n_answers;
    if (r->n != c->n_answers || (r->refused != 0) == to_end)
        return false;
    for (unsigned i = 0; i + 1 < r->n; i++)
        if (r->answers[i] != 0)
            return false;
    return to_end ? r->answers[r->n - 1] == 0 : r->answers[r->n - 1] == c->answers[c->n_answers - 1];
}

static unsigned check(const struct smuggling_case *c, struct slice stream)
{
    struct reading whole = read_stream(stream, stream.n, 1);
    unsigned wrong = !as_expected(c, &whole);
    if (wrong)
        print_error("%s: %u answers, the last one %d, %s\n", c->name, whole.n, whole.n ? whole.answers[whole.n - 1] : -1, whole.refused ? "refused" : "read");
    size_t stride = stream.n > 4096 ? stream.n / FEW : 1;
    for (size_t cut = 1; cut < stream.n && !wrong; cut += stride) {
        struct reading two = read_stream(stream, cut, stream.n), bytes = cut == 1 ? read_stream(stream, 1, 1) : whole;
        wrong = memcmp(&two, &whole, sizeof two) != 0 || memcmp(&bytes, &whole, sizeof bytes) != 0;
        if (wrong)
            print_error("%s: cut at %zu: another reading\n", c->name, cut);
    }
    return wrong;
}

static void one_reading_of_every_stream(void **state)
{
    (void)state;
    struct smuggling_cases s = cases_read(SMUGGLING_CASES);
    struct buf stream;
    unsigned wrong = 0;
    buf_init(&stream, 2 * CASE_LINE_MAX);
    for (size_t i = 0; i < s.n; i++) {
        buf_reset(&stream);
        buf_put(&stream, buf_slice(&s.all[i].bytes));
        buf_put(&stream, SMUGGLING_LAST);
        wrong += check(&s.all[i], buf_slice(&stream));
    }
    print_message("%zu cases\n", s.n);
    assert_true(s.n >= 500);
    buf_done(&stream);
    cases_free(&s);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(one_reading_of_every_stream) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
