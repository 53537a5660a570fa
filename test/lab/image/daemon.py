#!/usr/bin/env python3
"""One fake daemon: the name, sockets and answers that daemons.json gives for the systemd unit named on the command line.

To everyone who looks from outside (ss, systemd, a port scanner, an RPC client) it is the vendor's process.
"""
import json
import os
import selectors
import socket
import struct
import sys
import threading

IPV6_RECVPKTINFO, IPV6_PKTINFO = 49, 50
RPCBIND = ('127.0.0.1', 111)
CONTROL_ROOM = socket.CMSG_SPACE(20)


def expand(ports):
    """[21, "2428-2433"] → 21, 2428, …, 2433"""
    for entry in ports:
        first, _, last = str(entry).partition('-')
        yield from range(int(first), int(last or first) + 1)


def addresses_of(interface):
    """Where a socket binds: None is every address of this host, IPv4 and IPv6."""
    if interface == 'any':
        return [None]
    if interface == 'loopback':
        return ['127.0.0.1']
    with open('/etc/lab/addresses.json', encoding='utf-8') as file:
        return json.load(file).get(interface) or [None]


def open_socket(kind, address, port):
    if address is None:
        sock = socket.socket(socket.AF_INET6, kind)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        address = '::'
    else:
        sock = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, kind)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind == socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    elif sock.family == socket.AF_INET6:
        # The answer must leave from the address that was asked, a floating one included.
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
    sock.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND: an address may arrive later
    sock.bind((address, port))
    if kind == socket.SOCK_STREAM:
        sock.listen(128)
    sock.setblocking(False)
    return sock


def register_rpc(program, versions, protocol, port):
    """Tells the real rpcbind where this program listens (PMAPPROC_SET of portmapper version 2)."""
    number = socket.IPPROTO_TCP if protocol == 'tcp' else socket.IPPROTO_UDP
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        for reserved in range(1023, 600, -1):  # rpcbind believes reserved ports only
            try:
                sock.bind(('127.0.0.1', reserved))
                break
            except OSError:
                continue
        for version in versions:
            for procedure in (2, 1):  # UNSET what an earlier run left, then SET
                header = struct.pack('!6I4I', os.getpid() + procedure, 0, 2, 100000, 2, procedure, 0, 0, 0, 0)
                if procedure == 2 and protocol != 'udp':
                    continue
                sock.sendto(header + struct.pack('!4I', program, version, number, port), RPCBIND)
                reply = sock.recv(512)
                if procedure == 1 and struct.unpack('!I', reply[-4:])[0] != 1:
                    raise SystemExit(f'rpcbind refused program {program} version {version}')


def read_datagram(sock):
    data, ancillary, _, peer = sock.recvmsg(65535, CONTROL_ROOM)
    control = [
        (socket.IPPROTO_IPV6, IPV6_PKTINFO, value[:16] + b'\0\0\0\0')
        for level, kind, value in ancillary
        if level == socket.IPPROTO_IPV6 and kind == IPV6_PKTINFO
    ]
    return data, control, peer


def answer_tftp(local, peer):
    """One block of a file, from a port of its own as the protocol wants."""
    with socket.socket(local.family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(struct.pack('!HH', 3, 1) + b'portfw lab\n', peer)
        try:
            sock.recv(512)
        except OSError:
            pass


def answer_ftp(sock, name):
    """As much of FTP as it takes to list one file over a passive data connection."""
    passive = None
    with sock:
        sock.settimeout(60)
        sock.sendall(f'220 {name} ready\r\n'.encode())
        for line in sock.makefile('rb'):
            verb = line.strip().split(b' ')[0].upper()
            if verb in (b'PASV', b'EPSV'):
                passive = socket.create_server(('', 0), family=socket.AF_INET6, dualstack_ipv6=True)
                port = passive.getsockname()[1]
                host = sock.getsockname()[0].replace('::ffff:', '').replace('.', ',')
                sock.sendall(
                    f'227 Entering Passive Mode ({host},{port >> 8},{port & 255})\r\n'.encode()
                    if verb == b'PASV'
                    else f'229 Entering Extended Passive Mode (|||{port}|)\r\n'.encode()
                )
            elif verb in (b'LIST', b'NLST', b'RETR') and passive is not None:
                sock.sendall(b'150 here it comes\r\n')
                passive.settimeout(10)
                try:
                    data, _ = passive.accept()
                    data.sendall(b'portfw lab\n')
                    data.close()
                    sock.sendall(b'226 done\r\n')
                except OSError:
                    sock.sendall(b'425 no data connection\r\n')
            elif verb == b'QUIT':
                sock.sendall(b'221 bye\r\n')
                return
            else:
                replies = {b'USER': b'331 password', b'PASS': b'230 in', b'PWD': b'257 "/"', b'SYST': b'215 UNIX'}
                sock.sendall(replies.get(verb, b'200 ok') + b'\r\n')


def serve(sockets, name):
    selector = selectors.DefaultSelector()
    greeting = f'{name}\r\n'.encode()
    for sock, answer in sockets:
        selector.register(sock, selectors.EVENT_READ, answer)
    while True:
        for key, _ in selector.select():
            sock, answer = key.fileobj, key.data
            try:
                if sock.type == socket.SOCK_STREAM:
                    connection, _ = sock.accept()
                    connection.setblocking(True)
                    if answer == 'ftp':
                        threading.Thread(target=answer_ftp, args=(connection, name), daemon=True).start()
                        continue
                    connection.sendall(greeting)
                    connection.close()
                    continue
                data, control, peer = read_datagram(sock)
                if answer == 'tftp' and data[:2] == b'\0\1':
                    threading.Thread(target=answer_tftp, args=(sock, peer), daemon=True).start()
                else:
                    sock.sendmsg([greeting], control, 0, peer)
            except OSError:
                continue


def main():
    with open('/opt/lab/daemons.json', encoding='utf-8') as file:
        daemon = json.load(file)['daemons'][sys.argv[1]]
    with open('/proc/self/comm', 'w', encoding='utf-8') as file:
        file.write(daemon['comm'])
    sockets = []
    for entry in daemon['sockets']:
        kind = socket.SOCK_STREAM if entry['protocol'] == 'tcp' else socket.SOCK_DGRAM
        for address in addresses_of(entry['interface']):
            for port in expand(entry['ports']):
                sock = open_socket(kind, address, port)
                sockets.append((sock, entry.get('answer', 'line')))
                if 'rpc' in entry:
                    port = sock.getsockname()[1]
                    register_rpc(entry['rpc']['program'], entry['rpc']['versions'], entry['protocol'], port)
    ready = os.environ.get('NOTIFY_SOCKET')
    if ready:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(ready.replace('@', '\0', 1))
            sock.sendall(b'READY=1')
    serve(sockets, daemon['comm'])


main()
