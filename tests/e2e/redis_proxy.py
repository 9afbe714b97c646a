"""A unix socket in front of a redis-server. hold() keeps what one connection sends, from a marker on, and delivers it later, also
when its client has long given up: what a frozen or overloaded server does. While `hole` is set, what anybody sends vanishes."""

import os
import socket
import threading
import time

from listening import serve_each


class RedisProxy:
    def __init__(self, listen, server):
        self.server, self.marker, self.release_at, self.delivered = str(server), None, 0.0, threading.Event()
        self.lock, self.hole = threading.Lock(), False
        if os.path.exists(listen):
            os.unlink(listen)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(listen))
        self.listener.listen(64)
        serve_each(self.listener, self._serve)

    def hold(self, marker, seconds):
        """The next bytes that hold the marker are delivered so many seconds after they came."""
        with self.lock:
            self.marker, self.seconds = marker, seconds
            self.delivered.clear()

    def close(self):
        self.listener.close()

    def _serve(self, client):
        up = socket.socket(socket.AF_UNIX)
        try:
            up.connect(self.server)
        except OSError:
            client.close()
            return
        threading.Thread(target=self._back, args=(up, client), daemon=True).start()
        self._forward(client, up)

    def _held(self, data):
        with self.lock:
            if self.marker is None or self.marker not in data:
                return False
            self.marker = None
            return True

    def _forward(self, client, up):
        try:
            while data := client.recv(1 << 20):
                if self.hole:
                    continue
                if self._held(data):
                    time.sleep(self.seconds)
                    up.sendall(data)
                    time.sleep(0.2)
                    self.delivered.set()
                else:
                    up.sendall(data)
        except OSError:
            pass
        finally:
            up.close()

    def _back(self, up, client):
        try:
            while data := up.recv(1 << 20):
                if not self.hole:
                    client.sendall(data)
        except OSError:
            pass
        finally:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
