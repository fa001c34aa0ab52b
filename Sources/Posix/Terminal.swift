import CPosix
import Glibc

/// What standard output leads to, where that is a terminal.
package struct Terminal: Hashable, Sendable {
    /// Its width; 80, the width of most, where it does not tell.
    package var columns: Int

    /// The terminal of this process's standard output, or `nil` when that goes somewhere else.
    package static var standardOutput: Terminal? {
        let columns = Int(cposix_terminal_columns(STDOUT_FILENO))
        guard columns >= 0 else { return nil }
        return Terminal(columns: columns == 0 ? 80 : columns)
    }
}
