#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# CI/CD Test Script

BUILD_ID=$(date +%s)
TEST_NETWORK="test-env-${BUILD_ID}"

echo "Creating isolated test environment: ${TEST_NETWORK}"

# Create isolated network for this build
docker network create ${TEST_NETWORK}

# Start test database
docker run -d \
  --name test-db-${BUILD_ID} \
  --network ${TEST_NETWORK} \
  -e POSTGRES_PASSWORD=testpass \
  -e POSTGRES_DB=testdb \
  postgres:15

# Wait for database to be ready
sleep 5

# Run database migrations
docker run --rm \
  --network ${TEST_NETWORK} \
  -e DATABASE_URL=postgres://test-db-${BUILD_ID}:5432/testdb \
  myapp:${GIT_COMMIT} npm run migrate

# Run unit tests
docker run --rm \
  --name unit-tests-${BUILD_ID} \
  --network ${TEST_NETWORK} \
  -e DATABASE_URL=postgres://test-db-${BUILD_ID}:5432/testdb \
  -e NODE_ENV=test \
  myapp:${GIT_COMMIT} npm run test:unit

UNIT_TEST_EXIT_CODE=$?

# Run integration tests
docker run --rm \
  --name integration-tests-${BUILD_ID} \
  --network ${TEST_NETWORK} \
  -e DATABASE_URL=postgres://test-db-${BUILD_ID}:5432/testdb \
  -e NODE_ENV=test \
  myapp:${GIT_COMMIT} npm run test:integration

INTEGRATION_TEST_EXIT_CODE=$?

# Run E2E tests
docker run -d \
  --name app-${BUILD_ID} \
  --network ${TEST_NETWORK} \
  -e DATABASE_URL=postgres://test-db-${BUILD_ID}:5432/testdb \
  myapp:${GIT_COMMIT}

docker run --rm \
  --network ${TEST_NETWORK} \
  -e BASE_URL=http://app-${BUILD_ID}:3000 \
  cypress:latest npm run test:e2e

E2E_TEST_EXIT_CODE=$?

# Cleanup
echo "Cleaning up test environment: ${TEST_NETWORK}"
docker stop test-db-${BUILD_ID} app-${BUILD_ID}
docker rm test-db-${BUILD_ID} app-${BUILD_ID}
docker network rm ${TEST_NETWORK}

# Exit with failure if any test failed
if [ $UNIT_TEST_EXIT_CODE -ne 0 ] || [ $INTEGRATION_TEST_EXIT_CODE -ne 0 ] || [ $E2E_TEST_EXIT_CODE -ne 0 ]; then
  echo "Tests failed!"
  exit 1
fi

echo "All tests passed!"
exit 0
