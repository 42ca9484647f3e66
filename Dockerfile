# What `cargo xtask image` puts into its OCI archive, for those who build with an engine:
#
#   cargo xtask image
#   docker build --file Dockerfile target/image/context
#
# The program is static, so nothing else is needed but the roots by which it trusts remotes. A test holds this file and the
# archive to each other.
FROM scratch
COPY hookwright /hookwright
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 65532:65532
ENTRYPOINT ["/hookwright"]
