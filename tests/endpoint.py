"""A local OpenAI-compatible endpoint that also misbehaves."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """An OpenAI-compatible server. ``script`` gives, for each call in turn, what it does; then it answers ``usual``."""

    def __init__(self, script=(), usual=1, pause=0.0):
        self.script = list(script)
        self.asked = []
        self.keys = []
        self.busy = self.most = 0
        self.lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with owner.lock:
                    owner.asked.append(body)
                    owner.keys.append(self.headers["Authorization"])
                    owner.busy += 1
                    owner.most = max(owner.most, owner.busy)
                    act = owner.script.pop(0) if owner.script else usual
                try:
                    time.sleep(pause)
                    self.act(act)
                finally:
                    with owner.lock:
                        owner.busy -= 1

            def act(self, act):
                if isinstance(act, int):
                    act = {"first_wrong_step": act}
                if isinstance(act, dict):
                    act = json.dumps(act)
                if act == "drop":
                    self.close_connection = True
                    return
                if act == "slow":
                    time.sleep(1.5)
                    act = "late"
                if act.startswith("status "):
                    self.reply(int(act.split()[1]), b'{"error": {"message": "no"}}')
                elif act == "no json at all":
                    self.reply(200, b"<html>gateway</html>")
                elif act == "deep":
                    self.reply(200, b"[" * 100_000)
                elif act == "empty":
                    self.reply(200, b"{}")
                elif act == "cut body":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    self.wfile.write(b'{"choices": [')
                    self.close_connection = True
                else:
                    message = {"role": "assistant", "content": act}
                    choice = {"index": 0, "finish_reason": "stop", "message": message}
                    usage = {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100}
                    reply = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
                    self.reply(200, json.dumps({**reply, "choices": [choice], "usage": usage}).encode())

            def reply(self, status, body):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("retry-after-ms", "1")
                self.end_headers()
                self.wfile.write(body)

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_):  # clients that hang up are part of the tests
                pass

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
