/**
 * A tunnel over UDP, as a VPN's without the cryptography; the end that listens answers to whoever was heard last.
 * Arguments: device, its own address, port, and the address of the end that listens, or `-` for that end.
 */
export const TUNNEL = `
import fcntl, os, select, socket, struct, subprocess, sys
device, own, port, peer = sys.argv[1:5]
if not os.path.exists("/dev/net/tun"):
    os.makedirs("/dev/net", exist_ok=True)
    os.mknod("/dev/net/tun", 0o20600, os.makedev(10, 200))
tunnel = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tunnel, 0x400454CA, struct.pack("16sH", device.encode(), 0x1001))
subprocess.check_call(["ip", "address", "add", own, "dev", device])
subprocess.check_call(["ip", "link", "set", device, "up", "mtu", "1300"])
carrier = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if peer == "-":
    far = None
    carrier.bind(("0.0.0.0", int(port)))
else:
    far = (peer, int(port))
while True:
    for ready in select.select([tunnel, carrier], [], [])[0]:
        try:
            if ready is tunnel:
                packet = os.read(tunnel, 2000)
                if far is not None:
                    carrier.sendto(packet, far)
            else:
                packet, sender = carrier.recvfrom(2000)
                far = sender if peer == "-" else far
                os.write(tunnel, packet)
        except OSError:
            pass
`;
