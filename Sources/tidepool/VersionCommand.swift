import ArgumentParser
import Curl
import Hashing
import LMDB

/// What this program is called in the world: `tidepool/0.1.0`.
enum Release {
    static let version = "0.1.0"
}

/// Prints the versions of tidepool and of the libraries that it runs with.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Show the versions of tidepool and of libcurl, OpenSSL and LMDB."
    )

    func run() {
        let curl = LibraryVersion.current
        Console.result(
            """
            tidepool \(Release.version)
            libcurl \(curl.number) (\(curl.tls))
            \(CryptoVersion.text)
            \(LMDBVersion.text)
            """
        )
    }
}
