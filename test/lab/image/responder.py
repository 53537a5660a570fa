#!/usr/bin/env python3
"""Answers on any number of ports through two sockets: `responder.py LISTEN_PORT`.

nftables hands it packets for the chosen ports without rewriting them (tproxy), so every filter on this host still sees,
and judges, the port that was asked. It answers from that port.
"""
import selectors
import socket
import sys

IP_TRANSPARENT, IP_RECVORIGDSTADDR = 19, 20
IPV6_RECVORIGDSTADDR, IPV6_TRANSPARENT = 74, 75


def listen(family, kind, port):
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, 1)
    else:
        sock.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        sock.setsockopt(socket.SOL_IP, IP_RECVORIGDSTADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind(('::1' if family == socket.AF_INET6 else '127.0.0.1', port))
    if kind == socket.SOCK_STREAM:
        sock.listen(4096)
    return sock


def asked_address(family, ancillary):
    """The destination of a datagram, out of the kernel's sockaddr."""
    for _, kind, value in ancillary:
        if kind == IP_RECVORIGDSTADDR and family == socket.AF_INET:
            return socket.inet_ntop(family, value[4:8]), int.from_bytes(value[2:4], 'big')
        if kind == IPV6_RECVORIGDSTADDR and family == socket.AF_INET6:
            return socket.inet_ntop(family, value[8:24]), int.from_bytes(value[2:4], 'big')
    return None


def answer_datagram(sock):
    _, ancillary, _, peer = sock.recvmsg(65535, 256)
    asked = asked_address(sock.family, ancillary)
    if asked is None:
        return
    with socket.socket(sock.family, socket.SOCK_DGRAM) as reply:
        reply.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            reply.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
        else:
            reply.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        reply.bind(asked)
        reply.sendto(b'lab-responder\r\n', peer[:2])


def main():
    port = int(sys.argv[1])
    with open('/proc/self/comm', 'w', encoding='utf-8') as file:
        file.write('lab-responder')
    selector = selectors.DefaultSelector()
    for family in (socket.AF_INET, socket.AF_INET6):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            selector.register(listen(family, kind, port), selectors.EVENT_READ)
    print('ready', flush=True)
    while True:
        for key, _ in selector.select():
            try:
                if key.fileobj.type == socket.SOCK_STREAM:
                    connection, _ = key.fileobj.accept()
                    connection.sendall(b'lab-responder\r\n')
                    connection.close()
                else:
                    answer_datagram(key.fileobj)
            except OSError:
                continue


main()
