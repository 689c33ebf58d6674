"""Counting RTP on the loopback interface; a module, and a program for those who are not root.

A raw socket sees what really flows, whatever the phones believe.  Bound to one protocol it gets
each packet of ``lo`` once, on its way in; bound to all it would get the outgoing copy as well.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections import Counter

ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86DD
SO_RCVBUFFORCE = 33


def rtp_flows(seconds: float) -> dict[tuple[int, int], int]:
    """RTP packets seen within so many seconds, by (source port, destination port).

    Needs root, or a ``sudo`` that asks no password.
    """
    command = [sys.executable, __file__, str(seconds)]
    if os.geteuid() != 0:
        command = ["sudo", "-n", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 20, check=True)
    return {(source, target): count for source, target, count in json.loads(done.stdout)}


def _count(seconds: float) -> Counter[tuple[int, int]]:
    flows: Counter[tuple[int, int]] = Counter()
    with _tap(ETH_P_IP) as four, _tap(ETH_P_IPV6) as six:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for tap in select.select([four, six], [], [], left)[0]:
                if ports := _rtp_ports(tap.recv(2048)):
                    flows[ports] += 1
    return flows


def _tap(protocol: int) -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(protocol))
    raw.bind(("lo", protocol))
    raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    return raw


def _rtp_ports(packet: bytes) -> tuple[int, int] | None:
    """Source and destination port of an IP packet that carries RTP, else None."""
    if packet[0] >> 4 == 6:
        header, protocol = 40, packet[6]
    else:
        header, protocol = (packet[0] & 0x0F) * 4, packet[9]
    payload = packet[header + 8 :]
    if protocol != socket.IPPROTO_UDP or len(payload) < 12 or payload[0] >> 6 != 2:
        return None
    if 200 <= payload[1] <= 207:  # RTCP
        return None
    source, target = struct.unpack("!HH", packet[header : header + 4])
    return source, target


if __name__ == "__main__":
    print(json.dumps([[*ports, count] for ports, count in _count(float(sys.argv[1])).items()]))
