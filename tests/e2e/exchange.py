"""What this process asks at doors and hears, kept for those who compare it with the description of the API: every exchange of http.client over TLS."""

import http.client


class Exchanges:
    """From watch() on; ports says which port is which door."""

    def __init__(self):
        self.ports, self.kept = {}, []

    def watch(self):
        kept, ports = self.kept, self.ports
        request, getresponse = http.client.HTTPSConnection.request, http.client.HTTPSConnection.getresponse

        def asked(con, method, url, body=None, headers=None, **more):
            con.asked = {"door": ports.get(con.port), "method": method, "url": url, "body": text(body), "type": (headers or {}).get("Content-Type"),
                         "headers": dict(headers or {})}
            return request(con, method, url, body, headers or {}, **more)

        def heard(con):
            answer = getresponse(con)
            if con.asked["door"]:
                keep(kept, con.asked, answer)
            return answer

        http.client.HTTPSConnection.request, http.client.HTTPSConnection.getresponse = asked, heard
        return self


def text(body):
    if isinstance(body, (bytes, bytearray)):
        return bytes(body).decode("utf-8", "replace")
    return body


def keep(kept, asked, answer):
    """The body is noted as it is read: a stream that is left early is kept as far as it came."""
    one = {**asked, "status": answer.status, "answer": "", "answered": {k.lower(): v for k, v in answer.getheaders()}, "whole": False}
    read, readline = answer.read, answer.readline
    kept.append(one)

    def noted(*size):
        data = read(*size)
        one["answer"] += data.decode("utf-8", "replace")
        one["whole"] = one["whole"] or not size
        return data

    def line(*size):
        data = readline(*size)
        one["answer"] += data.decode("utf-8", "replace")
        return data

    answer.read, answer.readline = noted, line
