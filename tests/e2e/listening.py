"""What those who play a server in these tests have in common."""

import threading


def serve_each(listener, serve):
    """serve(client) on a thread of its own for each who connects, until the listener is closed."""
    def run():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
