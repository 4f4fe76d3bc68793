# SPDX-License-Identifier: Apache-2.0
"""capture.py FILE INTERFACE: writes each packet that the interface receives to a capture file, at once, until it is ended."""
import socket
import struct
import sys
import time

s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
s.bind((sys.argv[2], 0))
with open(sys.argv[1], "wb", buffering=0) as f:
    f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    while True:
        data, address = s.recvfrom(65535)
        if address[2] != 4:  # PACKET_OUTGOING: the loopback interface shows each packet twice
            now = time.time()
            f.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(data), len(data)) + data)
