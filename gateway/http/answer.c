#include "gateway/http/http.h"

struct reason {
    int status;
    const char *line;
};

static const struct reason REASONS[] = {
    { 200, "HTTP/1.1 200 OK\r\n" },
    { 201, "HTTP/1.1 201 Created\r\n" },
    { 202, "HTTP/1.1 202 Accepted\r\n" },
    { 204, "HTTP/1.1 204 No Content\r\n" },
    { 304, "HTTP/1.1 304 Not Modified\r\n" },
    { 400, "HTTP/1.1 400 Bad Request\r\n" },
    { 401, "HTTP/1.1 401 Unauthorized\r\n" },
    { 403, "HTTP/1.1 403 Forbidden\r\n" },
    { 404, "HTTP/1.1 404 Not Found\r\n" },
    { 405, "HTTP/1.1 405 Method Not Allowed\r\n" },
    { 408, "HTTP/1.1 408 Request Timeout\r\n" },
    { 409, "HTTP/1.1 409 Conflict\r\n" },
    { 410, "HTTP/1.1 410 Gone\r\n" },
    { 413, "HTTP/1.1 413 Content Too Large\r\n" },
    { 415, "HTTP/1.1 415 Unsupported Media Type\r\n" },
    { 422, "HTTP/1.1 422 Unprocessable Content\r\n" },
    { 429, "HTTP/1.1 429 Too Many Requests\r\n" },
    { 431, "HTTP/1.1 431 Request Header Fields Too Large\r\n" },
    { 500, "HTTP/1.1 500 Internal Server Error\r\n" },
    { 501, "HTTP/1.1 501 Not Implemented\r\n" },
    { 502, "HTTP/1.1 502 Bad Gateway\r\n" },
    { 503, "HTTP/1.1 503 Service Unavailable\r\n" },
    { 504, "HTTP/1.1 504 Gateway Timeout\r\n" },
    { 507, "HTTP/1.1 507 Insufficient Storage\r\n" },
};

static void status_line(struct buf *out, int status)
{
    for (size_t i = 0; i < sizeof REASONS / sizeof REASONS[0]; i++)
        if (REASONS[i].status == status) {
            buf_puts(out, REASONS[i].line);
            return;
        }
    buf_puts(out, "HTTP/1.1 ");
    buf_u64(out, (uint64_t)status);
    buf_puts(out, " \r\n"); /* = RFC 9112 §4: the reason may be empty */
}

static void header(struct buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    buf_puts(out, name);
    buf_puts(out, value);
    buf_put(out, LIT("\r\n"));
}

/* = RFC 9110 §5.6.7, from "YYYY-MM-DDTHH:MM:SS.mmmZ" */
void http_date(uint64_t wall_ms, char out[static HTTP_DATE_CHARS + 1])
{
    static const char DAYS[] = "ThuFriSatSunMonTueWed", MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char t[24];
    clock_format_utc(wall_ms, t);
    size_t day = (size_t)(wall_ms / 86400000 % 7), month = (size_t)((t[5] - '0') * 10 + (t[6] - '0') - 1);
    memcpy(out, "ddd, DD mmm YYYY hh:mm:ss GMT", HTTP_DATE_CHARS + 1);
    memcpy(out, DAYS + 3 * day, 3);
    memcpy(out + 5, t + 8, 2);
    memcpy(out + 8, MONTHS + 3 * month, 3);
    memcpy(out + 12, t, 4);
    memcpy(out + 17, t + 11, 8);
}

void http_write(struct buf *out, const struct http_answer *a, struct slice body)
{
    bool bodiless = a->no_body || a->status == 204 || a->status == 304; /* = RFC 9110 §8.6, §9.3.2, §15.4.5 */
    status_line(out, a->status);
    header(out, "Content-Type: ", a->content_type);
    if (a->endless) {
        if (a->version_minor > 0) /* = RFC 9112 §6.1: an answer to 1.0 has none */
            buf_put(out, LIT("Transfer-Encoding: chunked\r\n"));
    } else if (!bodiless) {
        buf_put(out, LIT("Content-Length: "));
        buf_u64(out, body.n);
        buf_put(out, LIT("\r\n"));
    }
    buf_puts(out, a->headers ? a->headers : "Cache-Control: no-store\r\n");
    buf_put(out, LIT("X-Content-Type-Options: nosniff\r\n"));
    header(out, "Access-Control-Allow-Origin: ", a->for_anyone ? "*" : NULL);
    header(out, "Date: ", a->date);
    header(out, "X-Request-Id: ", a->request_id);
    header(out, "Allow: ", a->allow);
    header(out, "WWW-Authenticate: ", a->www_authenticate);
    header(out, "Location: ", a->location);
    if (a->retry_after_s) {
        buf_put(out, LIT("Retry-After: "));
        buf_u64(out, a->retry_after_s);
        buf_put(out, LIT("\r\n"));
    }
    header(out, "Connection: ", a->close ? "close" : a->keep_alive ? "keep-alive" : NULL);
    buf_put(out, LIT("\r\n"));
    if (!bodiless)
        buf_put(out, body);
}

static void chunk_size(struct buf *out, size_t n)
{
    char digits[2 * sizeof n];
    size_t i = sizeof digits;
    do {
        digits[--i] = "0123456789abcdef"[n & 15];
        n >>= 4;
    } while (n);
    buf_put(out, slice_of(digits + i, sizeof digits - i));
    buf_put(out, LIT("\r\n"));
}

void http_write_piece(struct buf *out, unsigned version_minor, struct slice piece)
{
    if (version_minor > 0)
        chunk_size(out, piece.n);
    buf_put(out, piece);
    if (version_minor > 0)
        buf_put(out, LIT("\r\n"));
}

void http_write_end(struct buf *out, unsigned version_minor)
{
    if (version_minor > 0)
        buf_put(out, LIT("0\r\n\r\n"));
}
