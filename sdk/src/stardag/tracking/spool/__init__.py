"""What a machine has to say, in files, until it is delivered.

A spool is a directory for one server and one credential, with a stream for each process that
writes. Both sides meet here and nowhere else: the building process appends (`writer`,
`asset_files`), the sender reads and says how far it has come (`reader`, `delivery`).

    <spool>/sender.lock               locked (flock) by who delivers: see `lease`
    <spool>/sender.json               how the sender stands with the server: see `delivery`
    <spool>/<stream id>/stream.json   who writes: see `StreamHeader`
    <spool>/<stream id>/writer.lock   locked (flock) while the writer lives
    <spool>/<stream id>/<number>.seg  segments: `frames`, named by their first sequence number
    <spool>/<stream id>/ballast       room for the end, should the disk be full: see `writer`
    <spool>/<stream id>/assets/       see `asset_files`
"""
