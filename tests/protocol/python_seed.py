"""A seed written from core/protocol/README.md alone: python3 python_seed.py <folder> prints its port."""
import base64, hashlib, json, os, secrets, socketserver, sys

ROOT, MAX_LENGTH, CHUNK = os.path.realpath(sys.argv[1]), 1 << 20, 32 * 1024
class Refused(Exception): pass
def path_of(name):
    parts = name.split("/")
    bad = not 1 <= len(name.encode()) <= 1024 or any(p in ("", ".", "..") for p in parts) or \
        "\\" in name or any(ord(c) < 32 or ord(c) == 127 for c in name)
    path = ROOT if bad else os.path.join(ROOT, name)
    if os.path.realpath(path) != path or not os.path.isfile(path): raise Refused("NOT_FOUND no such file")
    return path
def names():
    return sorted(os.path.relpath(os.path.join(folder, file), ROOT)
                  for folder, _, files in os.walk(ROOT) for file in files)
def number(text):
    if not text.isascii() or not text.isdigit() or (text[0] == "0" and text != "0"):
        raise Refused("BAD_REQUEST not a number")
    return int(text)
def manifest(name):
    path, size = path_of(name), os.path.getsize(path_of(name))
    piece = MAX_LENGTH
    while size > piece * 32768: piece *= 2
    whole, digests = hashlib.sha256(), b""
    for at in range(0, size, piece):
        block = read(path, at, piece)
        whole.update(block)
        digests += hashlib.sha256(block).digest()
    head = f"p2p-manifest-1\n{size}\n{piece}\n".encode()
    return {"name": name, "size": size, "pieceSize": piece, "sha256": whole.hexdigest(),
            "id": hashlib.sha256(head + digests).hexdigest(), "pieces": base64.b64encode(digests).decode()}
def read(path, offset, length):
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(length)
class Client(socketserver.StreamRequestHandler):
    ids = {}
    def handle(self):
        line = self.first_line()
        if line == "HELLO 2": self.session()
        elif line is not None: self.one_shot(line)
    def first_line(self):
        data = b""
        self.connection.settimeout(0.2)
        try:
            while b"\n" not in data and (more := self.rfile.read1(4096)):
                data += more
        except TimeoutError: pass
        self.connection.settimeout(30)
        line, _, self.rest = data.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "replace") if data else None
    def one_shot(self, line):
        verb, _, rest = line.partition(" ")
        try:
            if line == "LIST":
                self.wfile.write("".join(n + "\n" for n in names()).encode())
            elif verb == "FILESIZE":
                self.wfile.write(f"SIZE:{os.path.getsize(path_of(rest))}\n".encode())
            elif verb == "DOWNLOAD":
                name, _, offset = rest.rpartition("|")
                self.wfile.write(read(path_of(name), number(offset), CHUNK))
        except Refused as why:
            if verb != "DOWNLOAD": self.wfile.write(f"ERROR:{why}\n".encode())
    def session(self):
        self.say(f"HELLO 2 agent=python nonce={secrets.token_hex(16)} auth=none "
                 f"max-length={MAX_LENGTH} max-inflight=16 features=read,fetch")
        while (line := self.line()) is not None:
            try:
                if len(line) > 4096: return self.say("ERROR:TOO_LONG the line is too long")
                if not self.answer(line.decode()): return
            except UnicodeDecodeError: self.say("ERROR:BAD_REQUEST the line is not UTF-8")
            except Refused as why: self.say(f"ERROR:{why}")
    def line(self):
        while b"\n" not in self.rest and len(self.rest) <= 4098:
            self.rest += (more := self.rfile.read1(65536))
            if not more: return None
        line, _, self.rest = self.rest.partition(b"\n")
        return line.removesuffix(b"\r")
    def say(self, line, body=b""):
        self.wfile.write(line.encode() + b"\n" + body)
    def body(self, data, more=""):
        self.say(f"OK {len(data)}{more}", data)
    def answer(self, line):
        verb, space, rest = line.partition(" ")
        if verb in ("PING", "BYE") and not space: return self.body(b"") or verb == "PING"
        if verb == "LIST" and (rest or not space):
            found = [n for n in names() if n > rest]
            stats = [(n, os.stat(path_of(n))) for n in found[:10000]]
            text = "".join(json.dumps({"name": n, "size": s.st_size, "modified": int(s.st_mtime * 1000)}) + "\n"
                           for n, s in stats)
            self.body(text.encode(), " more=1" if len(found) > 10000 else "")
        elif verb == "FILESIZE" and space:
            self.say(f"SIZE:{os.path.getsize(path_of(rest))}")
        elif verb == "MANIFEST" and space:
            made = manifest(rest)
            Client.ids[made["id"]] = rest
            self.body(json.dumps(made).encode())
        elif verb == "FETCH" and "|" in rest:
            name, _, most = rest.rpartition("|")
            most, made = number(most), manifest(name)
            Client.ids[made["id"]], head = name, json.dumps(made).encode()
            fits = made["size"] <= min(most, MAX_LENGTH)
            self.body(head + (read(path_of(name), 0, made["size"]) if fits else b""), f" manifest={len(head)}")
        elif verb in ("DOWNLOAD", "READ") and rest.count("|") >= 2:
            self.send_range(verb, *rest.rsplit("|", 2))
        else:
            raise Refused("BAD_REQUEST not a request")
        return True
    def send_range(self, verb, what, offset, length):
        offset, length = number(offset), number(length)
        if verb == "READ" and what not in Client.ids: raise Refused("NOT_FOUND no such content")
        path = path_of(Client.ids[what] if verb == "READ" else what)
        if not 1 <= length <= MAX_LENGTH or offset + length > os.path.getsize(path):
            raise Refused("RANGE outside of the file")
        self.body(read(path, offset, length))
class Seed(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
with Seed(("127.0.0.1", 0), Client) as seed:
    print(seed.server_address[1], flush=True)
    seed.serve_forever()
