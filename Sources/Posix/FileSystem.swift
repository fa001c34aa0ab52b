import CPosix
import Glibc

/// The file system that a path is on.
package struct FileSystem: Hashable, Sendable {
    /// Where its data is, as far as can be told.
    package enum Kind: Hashable, Sendable {
        case local
        /// On other machines: locks and shared mappings cannot be relied on.
        case network(String)
    }

    package var kind: Kind
    /// Its size in bytes.
    package var totalBytes: Int
    /// What an unprivileged process can still write, in bytes.
    package var freeBytes: Int

    /// Asks about an existing path.
    package static func containing(_ path: String) throws(SystemCallError) -> FileSystem {
        var status = statvfs()
        try check("statvfs", path: path) { unsafe statvfs(path, &status) }
        let block = Int(status.f_frsize)
        return FileSystem(
            kind: try kind(of: path),
            totalBytes: Int(status.f_blocks) * block,
            freeBytes: Int(status.f_bavail) * block
        )
    }

    private static func kind(of path: String) throws(SystemCallError) -> Kind {
        let magic = try check("statfs", path: path) { unsafe cposix_file_system_magic(path) }
        if let name = networkMagic[UInt32(truncatingIfNeeded: magic)] { return .network(name) }
        guard UInt32(truncatingIfNeeded: magic) == fuseMagic else { return .local }
        // FUSE says nothing of what is behind it, but its mount does.
        guard let type = try mountType(of: path), let name = networkFUSE.first(where: { type == "fuse." + $0 }) else {
            return .local
        }
        return .network(name)
    }

    /// The type of the mount that a path is on, as `/proc/self/mountinfo` (proc(5)) names it.
    static func mountType(of path: String) throws(SystemCallError) -> String? {
        var status = stat()
        try check("stat", path: path) { unsafe stat(path, &status) }
        // glibc's gnu_dev_major and gnu_dev_minor, which the Glibc module leaves out.
        let device = UInt64(status.st_dev)
        let major = (device >> 8 & 0xFFF) | (device >> 32 & ~0xFFF)
        let minor = (device & 0xFF) | (device >> 12 & ~0xFF)
        let table = try File.contents(of: "/proc/self/mountinfo", limit: 1 << 20)
        return mountType(ofDevice: "\(major):\(minor)", in: String(decoding: table, as: UTF8.self))
    }

    /// Finds `major:minor` in a mount table: `36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw`.
    static func mountType(ofDevice device: String, in table: String) -> String? {
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 6, fields[2] == device, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count
            else { continue }
            return String(fields[dash + 1])
        }
        return nil
    }
}

/// `FUSE_SUPER_MAGIC` of linux/magic.h, as the ones below.
private let fuseMagic: UInt32 = 0x6573_5546

private let networkMagic: [UInt32: String] = [
    0x6969: "NFS", 0x517B: "SMB", 0xFF53_4D42: "CIFS", 0xFE53_4D42: "SMB2", 0x0102_1997: "9P", 0x00C3_6400: "Ceph",
    0x5346_414F: "AFS", 0x6B41_4653: "AFS", 0x7375_7245: "Coda", 0x0BD0_0BD0: "Lustre", 0x1983_0326: "BeeGFS",
]

private let networkFUSE = [
    "sshfs", "glusterfs", "s3fs", "mountpoint-s3", "rclone", "goofys", "gcsfuse", "juicefs", "JuiceFS", "ceph",
    "ceph-fuse", "davfs", "curlftpfs", "blobfuse2", "seaweedfs",
]
